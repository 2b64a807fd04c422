// SPDX-License-Identifier: MIT
// Owns the way of an interrupt: from CNTV's deadline to the first instruction of the vector, and the end of the interrupt.

#include "bench.h"

#include "gic.h"
#include "machine.h"
#include "print.h"

extern "C" [[gnu::visibility("hidden")]] const char deadline_vectors_pmu[], deadline_vectors_counter[], vectors[];

namespace bench {

namespace {

using namespace guest;

SYSTEM_REGISTER(VbarEl1, "vbar_el1")

constexpr uint64_t ahead_ticks = 250, ctl_enable = 1;
constexpr uint32_t deadline_rounds = 64, phases = 64;

/// What counter 0 shows when CNTVCT ticks to 0, if every instruction took a sixteenth of a tick: the least of samples at all
/// sixteen places within a tick (the loop has seven instructions). The first read itself is one instruction.
uint32_t instructions_at_tick_zero() {
    uint64_t least = ~0u, left = phases, ticks, counted;
    asm volatile("1: mrs %2, cntvct_el0\n"
                 "mrs %3, pmevcntr0_el0\n"
                 "sub %w2, %w3, %w2, lsl #4\n"
                 "cmp %w2, %w0\n"
                 "csel %w0, %w2, %w0, lo\n"
                 "subs %1, %1, #1\n"
                 "b.ne 1b\n"
                 : "+r"(least), "+r"(left), "=&r"(ticks), "=&r"(counted)
                 :
                 : "cc", "memory");
    return static_cast<uint32_t>(least) - 1;
}

/// Waits, busy, for the vector; what the counter showed there. IRQ is masked before and after.
uint64_t wait_for_vector() {
    register uint64_t taken asm("x15") = 0;
    register uint64_t at asm("x16");
    asm volatile("msr daifclr, #2\n"
                 "1: cbz x15, 1b\n"
                 : "+r"(taken), "=r"(at)
                 :
                 : "x17", "cc", "memory");
    return at;
}

struct Round {
    Counted late, end;
};

/// One deadline. `itself`: what an empty count shows.
Round one_round(Counted itself) {
    Round round{};
    uint32_t zero = has_pmu ? instructions_at_tick_zero() : 0;
    uint32_t el2 = has_pmu ? static_cast<uint32_t>(Pmevcntr1El0::read()) : 0;
    uint64_t deadline = CntvctEl0::read() + ahead_ticks;
    CntvCvalEl0::write(deadline);
    CntvCtlEl0::write(ctl_enable);
    isb();
    uint64_t at = wait_for_vector();
    if (has_pmu) {
        round.late.all = static_cast<uint32_t>(at) - zero - static_cast<uint32_t>(deadline * instructions_per_tick);
        round.late.el2 = static_cast<uint32_t>(Pmevcntr1El0::read()) - el2;
    } else {
        round.late.all = static_cast<uint32_t>((at - deadline) * instructions_per_tick);
    }
    uint64_t intid = IccIar1El1::read();
    CntvCtlEl0::write(0);
    isb();
    dsb();
    if (has_pmu) {
        Counted begin = Counted::now();
        IccEoir1El1::write(intid);
        Counted end = Counted::now();
        round.end = end - begin - itself;
    } else {
        isb();
        uint64_t begin = CntvctEl0::read();
        IccEoir1El1::write(intid);
        isb();
        round.end.all = static_cast<uint32_t>((CntvctEl0::read() - begin) * instructions_per_tick);
    }
    return round;
}

} // namespace

void measure_deadline() {
    IrqGuard masked;
    gic().enable(machine().virtual_timer_intid, nullptr);
    VbarEl1::write(reinterpret_cast<uint64_t>(has_pmu ? deadline_vectors_pmu : deadline_vectors_counter));
    isb();
    Counted itself = empty_round();
    Samples late, end;
    for (uint32_t i = 0; i < deadline_rounds + warm_up; ++i) {
        Round round = one_round(itself);
        if (i < warm_up) continue;
        late.add(round.late);
        end.add(round.end);
    }
    VbarEl1::write(reinterpret_cast<uint64_t>(vectors));
    isb();
    gic().disable(machine().virtual_timer_intid);
    report_samples("timer.deadline", late);
    report_samples("timer.end", end);
}

} // namespace bench
