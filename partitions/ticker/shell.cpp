// SPDX-License-Identifier: MIT
// Owns the ticker guest's life after its checks: a tick per second, echo, the typed commands.

#include "ticker.h"

#include "cpu.h"
#include "fdt.h"
#include "pl011.h"
#include "print.h"
#include "psci.h"

namespace ticker {

using namespace guest;

namespace {

/// In the devices' GiB of QEMU's virt machine nothing answers here.
constexpr uint64_t nothing_there = 0x0b00'0000;

constexpr size_t line_max = 120;
constinit char typed[line_max + 1];
constinit size_t typed_size;

void echo(const char* text, size_t size) { uart().write(text, size); }

void read_nothing() {
    print("reading address {x}", nothing_there);
    uint32_t value = mmio_read<uint32_t>(nothing_there);
    print("fault FAILED to come: read {x}", value);
}

void obey(const char* line) {
    if (same_text(line, "quiet")) {
        virtual_timer.stop();
        print("quiet from now on");
    } else if (same_text(line, "off")) {
        print("powering off");
        uart().flush();
        psci::system_off();
        print("off FAILED");
    } else if (same_text(line, "reset")) {
        print("resetting");
        uart().flush();
        psci::system_reset();
        print("reset FAILED");
    } else if (same_text(line, "fault")) {
        read_nothing();
    } else if (same_text(line, "spin")) {
        print("spinning for ever");
        for (;;) asm volatile("");
    }
}

void end_line() {
    char line[line_max + 1];
    for (size_t i = 0; i <= typed_size; ++i) line[i] = typed[i];
    typed_size = 0;
    typed[0] = 0;
    echo("\r\n", 2);
    print("echo: {}", static_cast<const char*>(line));
    obey(line);
}

void take(char c) {
    if (c == '\r' || c == '\n') {
        end_line();
    } else if ((c == '\b' || c == 0x7f) && typed_size > 0) {
        typed[--typed_size] = 0;
        echo("\b \b", 3);
    } else if (c >= ' ' && c < 0x7f && typed_size < line_max) {
        echo(&c, 1);
        typed[typed_size++] = c;
        typed[typed_size] = 0;
    }
}

} // namespace

void run_shell() {
    keep_below(typed);
    virtual_timer.start(1'000'000, true);
    for (uint32_t seen = 0;;) {
        sleep_unless([&] { return uart().has_input() || virtual_timer.fired() != seen; });
        while (seen != virtual_timer.fired()) print("tick {}", ++seen);
        for (char c; uart().read(c);) take(c);
    }
}

} // namespace ticker
