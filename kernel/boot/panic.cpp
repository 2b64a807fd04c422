// SPDX-License-Identifier: MIT
// The core's own failure: registers, stack and what was violated go to the PL011, for tools/bulkhead symbolize; then power off.
#include "boot/core_area.hpp"
#include "boot/machine.hpp"
#include "hw.hpp"
#include "lib/log.hpp"

namespace bulkhead {

/// Filled by entry/vectors.S: x0..x30, sp, pc, spsr.
struct PanicFrame {
    uint64_t x[31], sp, pc, spsr;
};

extern "C" {
constinit PanicFrame panic_frame{};
alignas(16) constinit char panic_stack[4096]{};
[[noreturn]] void panic_exception();
[[noreturn]] void panic_assertion(const char* violated, const char* file, unsigned line);
extern const char panic_stack_top[];
}
asm(".global panic_stack_top\n.set panic_stack_top, panic_stack + 4096");

namespace {

/// Text to the PL011, words in hexadecimal, small numbers in decimal, no locks, no time.
struct Text {
    Text& operator<<(const char* text) {
        unsigned length = 0;
        while (text[length]) { ++length; }
        log::write_uart(text, length);
        return *this;
    }
    Text& operator<<(uint64_t value) {
        char digits[18] = {'0', 'x'};
        for (unsigned i = 0; i < 16; ++i) { digits[2 + i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15]; }
        log::write_uart(digits, sizeof(digits));
        return *this;
    }
    Text& operator<<(unsigned value) {
        char digits[10];
        unsigned first = sizeof(digits);
        do { digits[--first] = static_cast<char>('0' + value % 10); } while (value /= 10);
        log::write_uart(digits + first, sizeof(digits) - first);
        return *this;
    }
};

void begin() {
    static std::atomic<bool> panicked{false};
    if (panicked.exchange(true)) { // a second core, or a panic in the panic
        for (;;) { hw::wfi(); }
    }
    set_panic_uart({0x0900'0000});
    const char nothing[300] = {}; // ends a frame that console may have begun
    log::write_uart(nothing, sizeof(nothing));
    Core& core = Core::self();
    Text text;
    text << "\ncore: panic core=" << static_cast<unsigned>(core.index);
    if (core.current) { text << " partition=" << core.current->partition->name << " vcpu=" << unsigned{core.current->index}; }
}

[[noreturn]] void end() {
    Text text;
    const PanicFrame& f = panic_frame;
    for (unsigned i = 0; i < 31; i += 3) {
        text << "core: reg";
        for (unsigned n = i; n < i + 3 && n < 31; ++n) {
            const char name[] = {' ', 'x', static_cast<char>(n < 10 ? '0' + n : '0' + n / 10), static_cast<char>('0' + n % 10),
                                 '=', 0};
            if (n < 10) {
                const char low[] = {' ', 'x', static_cast<char>('0' + n), '=', 0};
                text << low << f.x[n];
            } else {
                text << name << f.x[n];
            }
        }
        text << "\n";
    }
    text << "core: reg pc=" << f.pc << " sp=" << f.sp << " spsr=" << f.spsr << "\n";
    Core* core = &Core::self();
    uint64_t top = reinterpret_cast<uint64_t>(core + 1), bottom = reinterpret_cast<uint64_t>(core) - 3 * page_size;
    if (f.sp > bottom && f.sp <= top) {
        for (uint64_t at = f.sp & ~15ull; at < reinterpret_cast<uint64_t>(core); at += 32) {
            text << "core: stack " << at;
            for (unsigned i = 0; i < 4; ++i) { text << " " << reinterpret_cast<const uint64_t*>(at)[i]; }
            text << "\n";
        }
    }
    text << "core: panic end\nmachine: off reason=panic\n";
    power_off();
}

} // namespace

void panic_exception() {
    begin();
    Text() << " violated=\"exception at EL2\" esr=" << hw::read<EsrEl2>().bits << " far=" << hw::read<hw::FarEl2>().bits << "\n";
    end();
}

void panic_assertion(const char* violated, const char* file, unsigned line) {
    begin();
    Text() << " violated=\"" << violated << "\" file=" << file << " line=" << line << "\n";
    end();
}

} // namespace bulkhead
