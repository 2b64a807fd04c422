// SPDX-License-Identifier: MIT
// Moving register state between the hardware and memory: what the shortest way from a guest to a service is made of.
#pragma once
#include "vcpu/state.hpp"
#include <cstddef>

namespace bulkhead::hw {

/// What the hardware holds of every partition: PC, PSTATE, SP.
inline void save_native(Context& context) {
    asm volatile("mrs %0, elr_el2\n mrs %1, spsr_el2\n mrs %2, sp_el1" : "=r"(context.pc), "=r"(context.pstate), "=r"(context.sp));
}
inline void load_native(const Context& context) {
    asm volatile("msr elr_el2, %0\n msr spsr_el2, %1\n msr sp_el1, %2" : : "r"(context.pc), "r"(context.pstate), "r"(context.sp));
}
/// Of a server that answers: where it goes on, and its stack; its flags do not matter.
inline void save_server(Context& context, uint64_t pstate) {
    context.pstate = pstate;
    asm volatile("mrs %0, elr_el2\n mrs %1, sp_el1" : "=r"(context.pc), "=r"(context.sp));
}

/// Out of EL2: nobody returns from here. The first for a vCPU whose registers are in memory; the second, for a server that
/// gets `message` in x0..x8, and whose x9..x30 are in memory.
[[gnu::always_inline]] inline void enter(const Context& context) {
    asm volatile("mov sp, %0\n b enter_at_sp" : : "r"(&context) : "memory");
    __builtin_unreachable();
}
[[gnu::always_inline]] inline void enter_with_message(Context& context, const uint64_t (&message)[9]) {
    register uint64_t x0 asm("x0") = message[0];
    register uint64_t x1 asm("x1") = message[1];
    register uint64_t x2 asm("x2") = message[2];
    register uint64_t x3 asm("x3") = message[3];
    register uint64_t x4 asm("x4") = message[4];
    register uint64_t x5 asm("x5") = message[5];
    register uint64_t x6 asm("x6") = message[6];
    register uint64_t x7 asm("x7") = message[7];
    register uint64_t x8 asm("x8") = message[8];
    asm volatile("mov sp, %0\n b enter_with_message"
                 :
                 : "r"(&context), "r"(x0), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5), "r"(x6), "r"(x7), "r"(x8)
                 : "memory");
    __builtin_unreachable();
}

/// Saves what a VM owns and a native partition could touch; stops its CNTV.
inline void save_el1(Context& context, EagerState& state) {
    static_assert(offsetof(EagerState, cntv_cval_el0) == 112);
    save_native(context);
    asm volatile("mrs x9, sp_el0\n mrs x10, elr_el1\n stp x9, x10, [%0]\n"
                 "mrs x9, spsr_el1\n mrs x10, esr_el1\n stp x9, x10, [%0, #16]\n"
                 "mrs x9, far_el1\n mrs x10, vbar_el1\n stp x9, x10, [%0, #32]\n"
                 "mrs x9, tpidr_el0\n mrs x10, tpidrro_el0\n stp x9, x10, [%0, #48]\n"
                 "mrs x9, tpidr_el1\n mrs x10, sctlr_el1\n stp x9, x10, [%0, #64]\n"
                 "mrs x9, cntkctl_el1\n mrs x10, par_el1\n stp x9, x10, [%0, #80]\n"
                 "mrs x9, csselr_el1\n mrs x10, cntv_ctl_el0\n stp x9, x10, [%0, #96]\n"
                 "mrs x9, cntv_cval_el0\n str x9, [%0, #112]\n"
                 "msr cntv_ctl_el0, xzr\n"
                 :
                 : "r"(&state)
                 : "x9", "x10", "memory");
}

/// Loads them again. CVAL before CTL: an old CVAL must not fire.
inline void load_el1(const Context& context, const EagerState& state) {
    load_native(context);
    asm volatile("ldp x9, x10, [%0]\n msr sp_el0, x9\n msr elr_el1, x10\n"
                 "ldp x9, x10, [%0, #16]\n msr spsr_el1, x9\n msr esr_el1, x10\n"
                 "ldp x9, x10, [%0, #32]\n msr far_el1, x9\n msr vbar_el1, x10\n"
                 "ldp x9, x10, [%0, #48]\n msr tpidr_el0, x9\n msr tpidrro_el0, x10\n"
                 "ldp x9, x10, [%0, #64]\n msr tpidr_el1, x9\n msr sctlr_el1, x10\n"
                 "ldp x9, x10, [%0, #80]\n msr cntkctl_el1, x9\n msr par_el1, x10\n"
                 "ldp x9, x10, [%0, #96]\n ldr x11, [%0, #112]\n"
                 "msr csselr_el1, x9\n msr cntv_cval_el0, x11\n msr cntv_ctl_el0, x10\n"
                 :
                 : "r"(&state)
                 : "x9", "x10", "x11", "memory");
}

/// What a native partition finds in the registers that others used: nothing of them.
inline void clear_el1(uint64_t sctlr, uint64_t vbar) {
    asm volatile("msr sctlr_el1, %0\n msr vbar_el1, %1\n"
                 "msr sp_el0, xzr\n msr elr_el1, xzr\n msr spsr_el1, xzr\n msr par_el1, xzr\n"
                 "msr tpidr_el0, xzr\n msr tpidrro_el0, xzr\n msr tpidr_el1, xzr\n msr cntkctl_el1, xzr\n"
                 "msr csselr_el1, xzr\n msr cntv_cval_el0, xzr\n"
                 :
                 : "r"(sctlr), "r"(vbar)
                 : "memory");
}

inline void load_controls(const Controls& controls) {
    static_assert(offsetof(Controls, ich_hcr) == 24);
    asm volatile("ldp x9, x10, [%0]\n msr vttbr_el2, x9\n msr hcr_el2, x10\n"
                 "ldp x9, x10, [%0, #16]\n msr cptr_el2, x9\n msr s3_4_c12_c11_0, x10\n"
                 :
                 : "r"(&controls)
                 : "x9", "x10", "memory");
}

/// Between two VMs: the registers that trap in native partitions and so stayed behind.
inline void save_lazy(LazyState& state) {
    asm volatile("mrs x9, ttbr0_el1\n mrs x10, ttbr1_el1\n stp x9, x10, [%0]\n"
                 "mrs x9, tcr_el1\n mrs x10, mair_el1\n stp x9, x10, [%0, #16]\n"
                 "mrs x9, amair_el1\n mrs x10, contextidr_el1\n stp x9, x10, [%0, #32]\n"
                 "mrs x9, afsr0_el1\n mrs x10, afsr1_el1\n stp x9, x10, [%0, #48]\n"
                 "mrs x9, cpacr_el1\n mrs x10, mdscr_el1\n stp x9, x10, [%0, #64]\n"
                 "mrs x9, s3_4_c12_c11_7\n mrs x10, s3_4_c12_c8_0\n stp x9, x10, [%0, #80]\n"
                 "mrs x9, s3_4_c12_c9_0\n str x9, [%0, #96]\n"
                 :
                 : "r"(&state)
                 : "x9", "x10", "memory");
}
inline void load_lazy(const LazyState& state) {
    static_assert(offsetof(LazyState, ich_ap1r0) == 96);
    asm volatile("ldp x9, x10, [%0]\n msr ttbr0_el1, x9\n msr ttbr1_el1, x10\n"
                 "ldp x9, x10, [%0, #16]\n msr tcr_el1, x9\n msr mair_el1, x10\n"
                 "ldp x9, x10, [%0, #32]\n msr amair_el1, x9\n msr contextidr_el1, x10\n"
                 "ldp x9, x10, [%0, #48]\n msr afsr0_el1, x9\n msr afsr1_el1, x10\n"
                 "ldp x9, x10, [%0, #64]\n msr cpacr_el1, x9\n msr mdscr_el1, x10\n"
                 "ldp x9, x10, [%0, #80]\n ldr x11, [%0, #96]\n"
                 "msr s3_4_c12_c11_7, x9\n msr s3_4_c12_c8_0, x10\n msr s3_4_c12_c9_0, x11\n"
                 :
                 : "r"(&state)
                 : "x9", "x10", "x11", "memory");
}

void save_fp(FpState& state); // entry/fp.S
void load_fp(const FpState& state);

} // namespace bulkhead::hw
