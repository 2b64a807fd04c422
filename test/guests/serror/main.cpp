// SPDX-License-Identifier: MIT
// Owns the serror guest: it spins with SError masked, unmasks it, and says if none was pending; partitions/lib's handler says what came.

#include "cpu.h"
#include "guest.h"
#include "print.h"

extern "C" const char guest_name[] = "serror";

extern "C" void guest_main() {
    if (!guest::start_machine()) return;
    guest::print("masked");
    uint64_t until = guest::CntfrqEl0::read() / 25; // 40 ms after its start, several slices
    while (guest::CntvctEl0::read() < until) guest::yield();
    guest::print("unmasking");
    asm volatile("msr daifclr, #4" : : : "memory");
    guest::isb();
    guest::print("no SError was pending");
    for (;;) guest::wfi();
}
