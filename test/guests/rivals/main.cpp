// SPDX-License-Identifier: MIT
// Owns the rivals: two guests that count with a PMU each while they take the core from each other. Each says what it found in the
// PMU's registers at its start, what it counted of work whose instructions are known, and which of its registers changed meanwhile.

#include "cpu.h"
#include "guest.h"
#include "machine.h"
#include "print.h"

extern "C" const char guest_name[] = "rivals";

namespace {

using namespace guest;

SYSTEM_REGISTER(PmcrEl0, "pmcr_el0")
SYSTEM_REGISTER(PmselrEl0, "pmselr_el0")
SYSTEM_REGISTER(PmccntrEl0, "pmccntr_el0")
SYSTEM_REGISTER(PmccfiltrEl0, "pmccfiltr_el0")
SYSTEM_REGISTER(PmuserenrEl0, "pmuserenr_el0")
SYSTEM_REGISTER(PmcntensetEl0, "pmcntenset_el0")
SYSTEM_REGISTER(PmintensetEl1, "pmintenset_el1")
SYSTEM_REGISTER(PmovssetEl0, "pmovsset_el0")
SYSTEM_REGISTER(PmswincEl0, "pmswinc_el0")
SYSTEM_REGISTER(PmxevtyperEl0, "pmxevtyper_el0")
SYSTEM_REGISTER(PmxevcntrEl0, "pmxevcntr_el0")
SYSTEM_REGISTER(Pmevcntr0El0, "s3_3_c14_c8_0")
SYSTEM_REGISTER(Pmevcntr1El0, "s3_3_c14_c8_1")

constexpr uint64_t software_increment = 0, inst_retired = 8, not_el0 = 1 << 30;
constexpr uint64_t enable = 1, cycles = 1ull << 31, first_two = 3;
constexpr unsigned repeats = 5;

/// What differs between the two, so that what one has of the other shows.
struct Side {
    char name[8];
    uint64_t rounds, increments;
    uint64_t idle_type, idle_count; ///< of the counters that stand still
    uint64_t interrupts, overflows, user, selected;
    uint64_t late_ticks; ///< it looks only after the other has set its registers
};
constexpr Side left{"left", 10'000'000, 30'011, 0x11 | not_el0, 0x1234'5678, 1 << 2, 1 << 3, 5, 2, 0};
constexpr Side right{"right", 7'000'003, 20'023, 0x12, 0xfedc'ba98, 1 << 3, 1 << 2, 10, 3, 2'500'000};

unsigned counters() { return PmcrEl0::read() >> 11 & 31; }

void select(uint64_t counter) {
    PmselrEl0::write(counter);
    isb();
}

/// All bits that are set anywhere in the PMU.
uint64_t anything() {
    uint64_t bits = (PmcrEl0::read() & enable) | PmselrEl0::read() | PmccntrEl0::read() | PmccfiltrEl0::read() |
                    PmuserenrEl0::read() | PmcntensetEl0::read() | PmintensetEl1::read() | PmovssetEl0::read();
    for (unsigned n = 0; n < counters(); ++n) {
        select(n);
        bits |= PmxevtyperEl0::read() | PmxevcntrEl0::read();
    }
    return bits;
}

void set_up(Side const& side) {
    for (unsigned n = 0; n < counters(); ++n) {
        select(n);
        PmxevtyperEl0::write(n == 0 ? inst_retired | not_el0 : n == 1 ? software_increment | not_el0 : side.idle_type);
        PmxevcntrEl0::write(n < 2 ? 0 : side.idle_count + n);
    }
    PmccfiltrEl0::write(not_el0);
    PmintensetEl1::write(side.interrupts);
    PmuserenrEl0::write(side.user);
    PmcntensetEl0::write(first_two | cycles);
    select(side.selected);
    PmovssetEl0::write(side.overflows); // nothing is due: the interrupt of another counter is enabled
    PmcrEl0::write(enable);
}

/// How many of set_up()'s registers are not as it left them.
unsigned changed(Side const& side) {
    unsigned wrong = PmselrEl0::read() != side.selected;
    wrong += (PmcrEl0::read() & enable) != enable;
    wrong += PmccfiltrEl0::read() != not_el0;
    wrong += PmintensetEl1::read() != side.interrupts;
    wrong += PmovssetEl0::read() != side.overflows;
    wrong += PmuserenrEl0::read() != side.user;
    wrong += PmcntensetEl0::read() != (first_two | cycles);
    for (unsigned n = 2; n < counters(); ++n) {
        select(n);
        wrong += PmxevtyperEl0::read() != side.idle_type;
        wrong += PmxevcntrEl0::read() != ((side.idle_count + n) & 0xffff'ffff);
    }
    select(side.selected);
    return wrong;
}

/// Retired between two looks at the counter: two instructions a round, and a constant.
[[gnu::noinline]] uint64_t instructions(uint64_t rounds) {
    uint64_t before, after;
    asm volatile("isb\n mrs %0, s3_3_c14_c8_0\n 1: subs %2, %2, #1\n b.ne 1b\n isb\n mrs %1, s3_3_c14_c8_0"
                 : "=&r"(before), "=&r"(after), "+&r"(rounds)
                 :
                 : "cc", "memory");
    return (after - before) & 0xffff'ffff;
}

void measure(Side const& side) {
    uint64_t const one = instructions(1);
    for (unsigned i = 0; i < repeats; ++i) {
        uint64_t const ticks = CntvctEl0::read(), cycles_before = PmccntrEl0::read();
        uint64_t const counted = instructions(side.rounds);
        uint64_t const spent = PmccntrEl0::read() - cycles_before, passed = CntvctEl0::read() - ticks;
        uint64_t const before = Pmevcntr1El0::read();
        for (uint64_t n = 0; n < side.increments; ++n) PmswincEl0::write(2);
        isb();
        print("rounds={} counted={} cycles={} ticks={} increments={} seen={}", side.rounds, counted - one, spent, passed,
              side.increments, Pmevcntr1El0::read() - before);
    }
}

} // namespace

extern "C" void guest_main() {
    if (!start_machine()) return;
    Side const& side = machine().bootargs[0] == 'l' ? left : right;
    IrqGuard masked;
    for (uint64_t const begin = CntvctEl0::read(); CntvctEl0::read() - begin < side.late_ticks;) {}
    print("{} found={x} counters={}", side.name, anything(), counters());
    set_up(side);
    measure(side);
    print("{} changed={}", side.name, changed(side));
    print("ready");
    for (;;) wfi();
}
