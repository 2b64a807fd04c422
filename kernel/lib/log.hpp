// SPDX-License-Identifier: MIT
// What nobody but the core can say: that it starts, that it refuses an image, a fault that ends the machine, a panic. One line per
// event in logfmt (docs/log.md), straight to the PL011: before the console runs, or when it cannot any more.
#pragma once
#include "lib/types.hpp"

namespace bulkhead {

/// Writes one line, which its destructor ends. It takes as long as the device does.
class LogLine {
public:
    LogLine(const char* source, const char* event, const char* suffix = "");
    ~LogLine() { put("\n"); }
    /// Ends what console may be in the middle of: it does not go on.
    static void leave_console();
    LogLine(const LogLine&) = delete;
    LogLine& operator=(const LogLine&) = delete;
    LogLine& field(const char* key, const char* value) { return name(key).put(value); }
    LogLine& field(const char* key, uint64_t value) { return name(key).digits(value, 10); }
    LogLine& hex(const char* key, uint64_t value) { return name(key).put("0x").digits(value, 16); }
    LogLine& word(uint64_t value) { return put(" 0x").digits(value, 16); }

private:
    LogLine& put(const char* text);
    LogLine& digits(uint64_t value, unsigned base, unsigned least = 1);
    LogLine& name(const char* key) { return put(" ").put(key).put("="); }
};

} // namespace bulkhead
