// SPDX-License-Identifier: MIT
// Moving register state between the hardware and memory: what the shortest way from a guest to a service is made of.
#pragma once
#include "hw.hpp"
#include <cstddef>

namespace bulkhead::hw {

/// What the hardware holds of every partition: PC, PSTATE, SP.
inline void save_native(Context& context) {
    asm volatile("mrs %0, elr_el2\n mrs %1, spsr_el2\n mrs %2, sp_el0" : "=r"(context.pc), "=r"(context.pstate), "=r"(context.sp));
}
inline void load_native(uint64_t pc, uint64_t pstate, uint64_t sp) {
    asm volatile("msr elr_el2, %0\n msr spsr_el2, %1\n msr sp_el0, %2" : : "r"(pc), "r"(pstate), "r"(sp));
}
/// Of a native partition between two: where it goes on, and its stack; its flags do not matter.
inline void save_place(Context& context) {
    asm volatile("mrs x9, elr_el2\n mrs x10, sp_el0\n stp x9, x10, [%0, %1]"
                 :
                 : "r"(&context), "i"(offsetof(Context, pc))
                 : "x9", "x10", "memory");
}
inline void load_place(const Context& context, uint64_t pstate) {
    static_assert(offsetof(Context, sp) == offsetof(Context, pc) + 8);
    asm volatile("ldp x9, x10, [%0, %1]\n msr elr_el2, x9\n msr sp_el0, x10\n msr spsr_el2, %2"
                 :
                 : "r"(&context), "i"(offsetof(Context, pc)), "r"(pstate)
                 : "x9", "x10", "memory");
}

/// Out of EL2: nobody returns from here. The first for a vCPU whose registers are in memory; the second, for a server that
/// gets `message` in x0..x8, and whose x9..x30 are in memory.
[[gnu::always_inline]] inline void enter(const Context& context) {
    asm volatile("mov sp, %0\n b enter_at_sp" : : "r"(&context) : "memory");
    __builtin_unreachable();
}
#define IN_PLACE(n) register uint64_t x##n asm("x" #n) = message[n];
#define MESSAGE_IN_PLACE IN_PLACE(0) IN_PLACE(1) IN_PLACE(2) IN_PLACE(3) IN_PLACE(4) IN_PLACE(5) IN_PLACE(6) IN_PLACE(7) IN_PLACE(8)
[[gnu::always_inline]] inline void enter_with_message(Context& context, const uint64_t (&message)[9]) {
    MESSAGE_IN_PLACE
    asm volatile("mov sp, %0\n b enter_with_message"
                 :
                 : "r"(&context), "r"(x0), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5), "r"(x6), "r"(x7), "r"(x8)
                 : "memory");
    __builtin_unreachable();
}

// Registers in pairs, each pair at its place in EagerState or LazyState.
#define EAGER(pair)                                                                                                                \
    pair(elr_el1, spsr_el1, 0) pair(esr_el1, far_el1, 16) pair(sctlr_el1, vbar_el1, 32) pair(cntv_cval_el0, cntv_ctl_el0, 48)
#define LAZY(pair)                                                                                                                 \
    pair(sp_el1, par_el1, 0) pair(tpidr_el0, tpidrro_el0, 16) pair(tpidr_el1, cntkctl_el1, 32) pair(ttbr0_el1, ttbr1_el1, 48)      \
        pair(tcr_el1, mair_el1, 64) pair(amair_el1, contextidr_el1, 80) pair(afsr0_el1, afsr1_el1, 96)                             \
            pair(cpacr_el1, mdscr_el1, 112) pair(csselr_el1, s3_4_c12_c11_7, 128) pair(s3_4_c12_c8_0, s3_4_c12_c9_0, 144)
#define SAVE(first, second, at) "mrs x9, " #first "\n mrs x10, " #second "\n stp x9, x10, [%0, %1 + " #at "]\n"
#define LOAD(first, second, at) "ldp x9, x10, [%0, %1 + " #at "]\n msr " #first ", x9\n msr " #second ", x10\n"
static_assert(offsetof(EagerState, sctlr_el1) == 32 && offsetof(EagerState, cntv_ctl_el0) == 56 &&
              offsetof(LazyState, ich_ap1r0) == 152);

// These take the whole vCPU, so that no address is computed: what they name is `%1` bytes behind it.
/// Saves what a service of a VM could change; stops its CNTV.
template <class Vcpu> [[gnu::always_inline]] inline void save_el1(Vcpu& vcpu) {
    asm volatile(EAGER(SAVE) "msr cntv_ctl_el0, xzr" : : "r"(&vcpu), "i"(offsetof(Vcpu, eager)) : "x9", "x10", "memory");
}
/// Loads it again. CVAL before CTL: an old CVAL must not fire.
template <class Vcpu> [[gnu::always_inline]] inline void load_el1(const Vcpu& vcpu) {
    asm volatile(EAGER(LOAD) : : "r"(&vcpu), "i"(offsetof(Vcpu, eager)) : "x9", "x10", "memory");
}
/// The same where only calls of native partitions came between: no exception.
template <class Vcpu> [[gnu::always_inline]] inline void resume_el1(const Vcpu& vcpu) {
    asm volatile(LOAD(sctlr_el1, vbar_el1, 32) "ldr x9, [%0, %1 + 56]\n msr cntv_ctl_el0, x9"
                 :
                 : "r"(&vcpu), "i"(offsetof(Vcpu, eager))
                 : "x9", "x10", "memory");
}
/// Between two VMs: the registers that stayed behind.
inline void save_lazy(LazyState& state) { asm volatile(LAZY(SAVE) : : "r"(&state), "i"(0) : "x9", "x10", "memory"); }
inline void load_lazy(const LazyState& state) { asm volatile(LAZY(LOAD) : : "r"(&state), "i"(0) : "x9", "x10", "memory"); }
/// What a native partition runs with.
template <class Vcpu> [[gnu::always_inline]] inline void load_native_el1(const Vcpu& vcpu) {
    static_assert(offsetof(Controls, sctlr) == 32);
    asm volatile(LOAD(sctlr_el1, vbar_el1, 32) : : "r"(&vcpu), "i"(offsetof(Vcpu, controls)) : "x9", "x10", "memory");
}
/// What a native partition that is not confined finds in the registers that others used: nothing of them.
inline void clear_el1() {
    asm volatile(
        "msr sp_el1, xzr\n msr elr_el1, xzr\n msr spsr_el1, xzr\n msr esr_el1, xzr\n msr par_el1, xzr\n msr tpidr_el0, xzr\n"
        "msr tpidrro_el0, xzr\n msr tpidr_el1, xzr\n msr cntkctl_el1, xzr\n msr cntv_ctl_el0, xzr\n"
        "msr cntv_cval_el0, xzr");
    if (has_ras()) { write<VdisrEl2>({}); }
    if (has_sme()) { write<Tpidr2El0>({}); }
}

template <class Vcpu> inline void load_address_space(const Vcpu& vcpu) { write<VttbrEl2>({vcpu.controls.vttbr}); }
template <class Vcpu> [[gnu::always_inline]] inline void load_controls(const Vcpu& vcpu) {
    static_assert(offsetof(Controls, ich_hcr) == 24);
    asm volatile("ldp x9, x10, [%0, %1]\n msr vttbr_el2, x9\n msr hcr_el2, x10\n"
                 "ldp x9, x10, [%0, %1 + 16]\n msr cptr_el2, x9\n msr s3_4_c12_c11_0, x10\n"
                 :
                 : "r"(&vcpu), "i"(offsetof(Vcpu, controls))
                 : "x9", "x10", "memory");
}

/// Registers change places with memory, which `at` then is behind. The last one: x9 is what it had, x10 what it has.
asm(".macro exchange at, registers:vararg\n .irp r, \\registers\n mrs x9, \\r\n ldr x10, [\\at]\n"
    "msr \\r, x10\n str x9, [\\at], #8\n .endr\n .endm");

/// APIA, APIB; APDA, APDB; APGA.
inline void exchange_keys(uint64_t* at) {
    asm volatile("exchange %0, s3_0_c2_c1_0, s3_0_c2_c1_1, s3_0_c2_c1_2, s3_0_c2_c1_3" : "+r"(at) : : "x9", "x10", "memory");
    asm volatile("exchange %0, s3_0_c2_c2_0, s3_0_c2_c2_1, s3_0_c2_c2_2, s3_0_c2_c2_3" : "+r"(at) : : "x9", "x10", "memory");
    asm volatile("exchange %0, s3_0_c2_c3_0, s3_0_c2_c3_1" : "+r"(at) : : "x9", "x10", "memory");
}
inline void exchange_pmu(uint64_t* at) {
    uint64_t selected = read<PmselrEl0>().bits, control = read<PmcrEl0>().bits;
    write<PmcrEl0>({});
    isb(); // nothing counts, and the interrupt is low, from here on
    asm volatile("exchange %0, pmccntr_el0, pmccfiltr_el0, pmuserenr_el0" : "+r"(at) : : "x9", "x10", "memory");
    asm volatile("exchange %0, pmcntenset_el0\n bic x9, x9, x10\n msr pmcntenclr_el0, x9" : "+r"(at) : : "x9", "x10", "memory");
    asm volatile("exchange %0, pmintenset_el1\n bic x9, x9, x10\n msr pmintenclr_el1, x9" : "+r"(at) : : "x9", "x10", "memory");
    asm volatile("exchange %0, pmovsset_el0\n bic x9, x9, x10\n msr pmovsclr_el0, x9" : "+r"(at) : : "x9", "x10", "memory");
    for (uint64_t n = control >> 11 & 31; n-- > 0;) {
        write<PmselrEl0>({n});
        isb(); // PMXEV* are those of counter n
        asm volatile("exchange %0, pmxevtyper_el0, pmxevcntr_el0" : "+r"(at) : : "x9", "x10", "memory");
    }
    write<PmselrEl0>({at[0]});
    write<PmcrEl0>({at[1]});
    at[0] = selected, at[1] = control;
}

void save_fp(FpState& state); // entry/vectors.S
void load_fp(const FpState& state);

} // namespace bulkhead::hw
