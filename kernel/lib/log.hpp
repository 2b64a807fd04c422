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
    LogLine& field(const char* key, const char* value);
    LogLine& field(const char* key, uint64_t value);
    LogLine& hex(const char* key, uint64_t value);
    LogLine& word(uint64_t value); ///< hexadecimal, without a key

private:
    void put(char c) {
        if (length_ < sizeof(text_)) { text_[length_++] = c; }
    }
    void put(const char* text);
    void decimal(uint64_t value, unsigned width = 1);
    void key(const char* name);
    void digits(uint64_t value);
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
