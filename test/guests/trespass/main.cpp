// SPDX-License-Identifier: MIT
// Owns the trespass guest: it touches the addresses that are typed, as a guest would that minds no border.

#include "../touch.hpp"
#include "cpu.h"
#include "gic.h"
#include "guest.h"
#include "machine.h"
#include "pl011.h"
#include "print.h"

extern "C" const char guest_name[] = "trespass";

namespace {

/// Stage 1 would stand before the borders that are tested. (Hardware would want the cache cleaned first; QEMU has none.)
void turn_mmu_off() {
    constexpr uint64_t mmu_and_data_cache = 1 | 1 << 2;
    uint64_t sctlr;
    asm volatile("mrs %0, sctlr_el1" : "=r"(sctlr));
    guest::dsb();
    asm volatile("msr sctlr_el1, %0; isb" : : "r"(sctlr & ~mmu_and_data_cache) : "memory");
}

unsigned take_line(char* line, unsigned capacity) {
    for (unsigned size = 0;;) {
        char key;
        if (!guest::uart().read(key)) {
            guest::sleep_unless([] { return guest::uart().has_input(); });
            continue;
        }
        if (key == '\r' || size == capacity) return size;
        line[size++] = key;
    }
}

} // namespace

extern "C" void guest_main() {
    if (!guest::start_machine()) return;
    turn_mmu_off();
    guest::gic().enable(guest::machine().uart_intid, [] { guest::uart().on_interrupt(); });
    guest::uart().start_interrupts();
    guest::print("ready");
    for (;;) {
        char line[32] = {};
        unsigned size = take_line(line, sizeof(line) - 1);
        guest::print(touch({line, size}) ? "{} went well" : "{}: no such way", static_cast<const char*>(line));
    }
}
