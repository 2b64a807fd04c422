// SPDX-License-Identifier: MIT
// The core's own lines: formatted straight into the PL011.
#include "lib/log.hpp"
#include "hw.hpp"

namespace bulkhead {

constexpr PhysAddr pl011{0x0900'0000}; // boards/qemu-virt

static void transmit(char c) {
    constexpr uint64_t flags = 0x18;
    constexpr uint32_t full = 1u << 5;
    if (c == '\n') { transmit('\r'); }
    for (unsigned n = 0; n < 1'000'000 && (hw::load32(pl011 + flags) & full); ++n) { hw::yield(); }
    hw::store32(pl011, static_cast<uint8_t>(c));
}

void log::leave_console() {
    for (unsigned n = 0; n < 300; ++n) { transmit('\0'); } // ends a frame that console may have begun
    transmit('\n');
}

LogLine::LogLine(const char* source, const char* event, const char* suffix) {
    uint64_t ticks = hw::read<hw::Cntpct>().bits, frequency = hw::read<hw::Cntfrq>().bits;
    uint64_t seconds = ticks / frequency;
    put("[");
    for (uint64_t limit = 1000; limit > seconds && limit > 1; limit /= 10) { put(" "); }
    decimal(seconds).put(".").decimal(ticks % frequency * 1'000'000 / frequency, 6);
    put("] ").put(source).put(": ").put(event).put(suffix);
}

LogLine& LogLine::put(const char* text) {
    while (*text) { transmit(*text++); }
    return *this;
}

LogLine& LogLine::hexadecimal(uint64_t value) {
    char digits[] = "0x0000000000000000";
    unsigned n = 2;
    for (unsigned shift = value ? (63 - static_cast<unsigned>(__builtin_clzll(value))) & ~3u : 0; shift < 64; shift -= 4) {
        digits[n++] = "0123456789abcdef"[value >> shift & 15];
    }
    digits[n] = 0;
    return put(digits);
}

LogLine& LogLine::decimal(uint64_t value, unsigned width) {
    char digits[21];
    char* first = digits + sizeof(digits) - 1;
    *first = 0;
    do {
        *--first = static_cast<char>('0' + value % 10);
        value /= 10;
    } while (value != 0 || first > digits + sizeof(digits) - 1 - width);
    return put(first);
}

} // namespace bulkhead
