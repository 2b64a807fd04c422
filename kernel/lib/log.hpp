// SPDX-License-Identifier: MIT
// The core's log: one line per event in logfmt (docs/log.md), put into the ring that the console service prints.
#pragma once
#include "lib/types.hpp"

namespace bulkhead {

/// Builds one line; its destructor hands it over whole, or drops it whole if the ring is full.
class LogLine {
public:
    LogLine(const char* source, const char* event, const char* suffix = "");
    ~LogLine();
    LogLine(const LogLine&) = delete;
    LogLine& operator=(const LogLine&) = delete;
    LogLine& field(const char* key, const char* value) { return name(key).put(value); }
    LogLine& field(const char* key, uint64_t value) { return name(key).decimal(value); }
    LogLine& hex(const char* key, uint64_t value) { return name(key).hexadecimal(value); }
    LogLine& word(uint64_t value) { return put(" ").hexadecimal(value); }

private:
    LogLine& put(const char* text);
    LogLine& decimal(uint64_t value, unsigned width = 1);
    LogLine& hexadecimal(uint64_t value);
    LogLine& name(const char* key) { return put(" ").put(key).put("="); }
    char text_[320];
    unsigned length_ = 0;
};

namespace log {
/// Before init lines go to the PL011 directly.
void init(PhysAddr ring, uint64_t size, uint16_t object, unsigned signal);
/// And again when the console cannot run any more.
void leave_console();
} // namespace log

} // namespace bulkhead
