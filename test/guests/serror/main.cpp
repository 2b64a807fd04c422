// SPDX-License-Identifier: MIT
// Owns the serror guest: it unmasks SError and waits for one; partitions/lib's handler says what came.

#include "cpu.h"
#include "guest.h"
#include "print.h"

extern "C" const char guest_name[] = "serror";

extern "C" void guest_main() {
    if (!guest::start_machine()) return;
    guest::print("masked");
    uint64_t from = guest::CntvctEl0::read();
    while (guest::CntvctEl0::read() - from < guest::CntfrqEl0::read() / 2) guest::yield();
    guest::print("unmasking"); // one that came before is taken now
    asm volatile("msr daifclr, #4" : : : "memory");
    for (;;) guest::yield();
}
