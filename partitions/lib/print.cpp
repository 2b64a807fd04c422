// SPDX-License-Identifier: MIT
// Owns the guest's lines: formatting, the time stamp, and that lines of two CPUs do not mix.

#include "print.h"

#include "cpu.h"
#include "pl011.h"

#include <atomic>

namespace guest {

namespace {

constexpr size_t line_max = 192;

/// Collects one line; what does not fit is cut off.
class Line {
public:
    void put(char c) {
        if (size_ < line_max) text_[size_++] = c;
    }
    void put(const char* text) {
        while (*text) put(*text++);
    }
    void number(uint64_t value, unsigned base, unsigned digits = 1) {
        char reversed[20];
        unsigned count = 0;
        for (; value || count < digits; value /= base) reversed[count++] = "0123456789abcdef"[value % base];
        while (count) put(reversed[--count]);
    }
    void argument(const Argument& value, bool hexadecimal) {
        if (value.text) return put(value.text);
        if (hexadecimal) {
            put("0x");
            return number(value.number, 16);
        }
        if (value.negative) put('-');
        number(value.negative ? -value.number : value.number, 10);
    }
    void time_stamp() {
        isb(); // the counter must not be read ahead of what the line reports
        uint64_t frequency = CntfrqEl0::read(), now = CntvctEl0::read();
        put('[');
        number(now / frequency, 10);
        put('.');
        number(now % frequency * 1'000'000 / frequency, 10, 6);
        put("] ");
    }
    void write() const { uart().write(text_, size_); }

private:
    size_t size_ = 0;
    char text_[line_max];
};

/// A spin lock that is held with interrupts masked.
class Exclusive {
public:
    Exclusive() {
        while (taken.test_and_set(std::memory_order_acquire)) yield();
    }
    ~Exclusive() { taken.clear(std::memory_order_release); }

private:
    IrqGuard masked_;
    static constinit inline std::atomic_flag taken{};
};

constinit const char* below = nullptr;

} // namespace

void keep_below(const char* typed) { below = typed; }

void print_arguments(const char* format, const Argument* arguments, size_t count) {
    Line line;
    const char* typed = below && *below ? below : nullptr;
    if (typed) line.put("\r\n");
    line.time_stamp();
    line.put(guest_name);
    line.put(": ");
    for (const char* at = format; *at; ++at) {
        bool hexadecimal = at[0] == '{' && at[1] == 'x' && at[2] == '}';
        bool plain = at[0] == '{' && at[1] == '}';
        if (!(hexadecimal || plain) || count == 0) {
            line.put(*at);
            continue;
        }
        line.argument(*arguments++, hexadecimal);
        --count;
        at += hexadecimal ? 2 : 1;
    }
    line.put("\r\n");
    if (typed) line.put(typed);
    Exclusive one_line;
    line.write();
}

} // namespace guest
