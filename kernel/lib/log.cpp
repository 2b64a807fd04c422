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

void LogLine::leave_console() {
    for (unsigned n = 0; n < 300; ++n) { transmit('\0'); } // ends a frame that console may have begun
    transmit('\n');
}

LogLine::LogLine(const char* source, const char* event, const char* suffix) {
    uint64_t ticks = hw::read<hw::Cntpct>().bits, frequency = hw::read<hw::Cntfrq>().bits;
    uint64_t seconds = ticks / frequency;
    put("[");
    for (uint64_t limit = 1000; limit > seconds && limit > 1; limit /= 10) { put(" "); }
    digits(seconds, 10).put(".").digits(ticks % frequency * 1'000'000 / frequency, 10, 6);
    put("] ").put(source).put(": ").put(event).put(suffix);
}

LogLine& LogLine::put(const char* text) {
    while (*text) { transmit(*text++); }
    return *this;
}

LogLine& LogLine::digits(uint64_t value, unsigned base, unsigned least) {
    char text[21];
    char* const end = text + sizeof(text) - 1;
    char* first = end;
    *end = 0;
    do {
        *--first = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0 || first > end - least);
    return put(first);
}

} // namespace bulkhead
