// SPDX-License-Identifier: MIT
// Owns the counters guest: it counts instructions with its CPU's PMU, once at EL1 only and once at EL2 too, while it does nothing
// else and while it calls a service; and lets a counter overflow.

#include "cpu.h"
#include "gic.h"
#include "guest.h"
#include "print.h"

extern "C" const char guest_name[] = "counters";

namespace {

using namespace guest;

SYSTEM_REGISTER(PmcrEl0, "pmcr_el0")
SYSTEM_REGISTER(PmcntensetEl0, "pmcntenset_el0")
SYSTEM_REGISTER(Pmevtyper0El0, "s3_3_c14_c12_0")
SYSTEM_REGISTER(Pmevtyper1El0, "s3_3_c14_c12_1")
SYSTEM_REGISTER(Pmevcntr0El0, "s3_3_c14_c8_0")
SYSTEM_REGISTER(Pmevcntr1El0, "s3_3_c14_c8_1")
SYSTEM_REGISTER(PmovsclrEl0, "pmovsclr_el0")
SYSTEM_REGISTER(PmintensetEl1, "pmintenset_el1")
SYSTEM_REGISTER(PmintenclrEl1, "pmintenclr_el1")
SYSTEM_REGISTER(IdAa64Dfr0El1, "id_aa64dfr0_el1")

constexpr unsigned rounds = 100;
constexpr uint64_t enable = 1, reset_events = 2, inst_retired = 8, cpu_cycles = 0x11, not_el0 = 1 << 30, el2_too = 1 << 27;

template <typename Operation> void count(const char* what, Operation operation) {
    isb();
    uint64_t el1 = Pmevcntr0El0::read(), all = Pmevcntr1El0::read();
    for (unsigned i = 0; i < rounds; ++i) operation();
    isb();
    el1 = Pmevcntr0El0::read() - el1, all = Pmevcntr1El0::read() - all;
    print("{} rounds={} el1={} all={}", what, rounds, el1, all);
}

unsigned interrupts = 0;
uint64_t overflowed = 0;

void take_overflow() {
    overflowed = PmovsclrEl0::read();
    PmovsclrEl0::write(overflowed);
    ++interrupts;
}

void overflow() {
    constexpr uint64_t before = 0xffff'ff00, ticks = 200'000;
    constexpr uint32_t intid = 23;
    gic().enable(intid, take_overflow);
    PmovsclrEl0::write(~0u);
    Pmevtyper0El0::write(cpu_cycles | not_el0);
    Pmevcntr0El0::write(before);
    PmintensetEl1::write(1);
    uint64_t end = CntvctEl0::read() + ticks;
    while (!interrupts && CntvctEl0::read() < end) {}
    PmintenclrEl1::write(1);
    print("overflow interrupts={} overflowed={}", interrupts, overflowed);
}

void measure() {
    IrqGuard masked;
    print("pmu version={} counters={}", IdAa64Dfr0El1::read() >> 8 & 15, PmcrEl0::read() >> 11 & 31);
    Pmevtyper0El0::write(inst_retired | not_el0);
    Pmevtyper1El0::write(inst_retired | not_el0 | el2_too);
    PmcntensetEl0::write(3);
    PmcrEl0::write(enable | reset_events);
    count("nothing", [] { asm volatile("nop"); });
    count("hvc", [] {
        register uint64_t x0 asm("x0") = 0x84000000; // PSCI_VERSION
        asm volatile("hvc #0" : "+r"(x0) : : "x1", "x2", "x3", "memory");
    });
}

} // namespace

extern "C" void guest_main() {
    if (!start_machine()) return;
    measure();
    overflow();
    print("ready");
    for (;;) wfi();
}
