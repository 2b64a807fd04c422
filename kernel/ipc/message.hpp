// SPDX-License-Identifier: MIT
// From a trapped instruction to a message, and from the answer back into the vCPU's registers. No hardware is touched.
#pragma once
#include "abi/message.hpp"
#include "regs/el2.hpp"
#include "vcpu/vcpu.hpp"

namespace bulkhead {

/// When the virtual timer of a vCPU, whose state is in memory, fires, in CNTPCT ticks; none unless it is enabled and not masked.
inline uint64_t virtual_timer_deadline(const Vcpu& vcpu) {
    return (vcpu.eager.cntv_ctl_el0 & 3) == 1 ? vcpu.eager.cntv_cval_el0 + vcpu.controls.cntvoff : abi::no_deadline;
}
/// Writes the message for the trap that `caller.esr` describes, or the native caller's own, to x0..x8 of `to`.
void write_message(const Vcpu& caller, uint64_t (&to)[31]);
/// Applies a server's answer to the vCPU that waits for it.
void write_answer(Vcpu& caller, uint64_t tag, const uint64_t (&words)[abi::message_words]);
/// What the instruction read, with the width and sign that its syndrome says, in its register.
inline void write_loaded(Vcpu& vcpu, uint64_t esr, uint64_t value) {
    constexpr uint64_t sse = 1u << 21, sf = 1u << 15;
    unsigned unused = 64 - (8u << (esr >> 22 & 3));
    value = value << unused >> unused;
    if (esr & sse) [[unlikely]] {
        value = static_cast<uint64_t>(static_cast<int64_t>(value << unused) >> unused);
        if (!(esr & sf)) { value = static_cast<uint32_t>(value); }
    }
    unsigned rt = esr >> 16 & 31;
    if (rt != 31) [[likely]] { vcpu.context.x[rt] = value; }
}
/// Past the trapped instruction: PC, and what an executed instruction clears in PSTATE (Arm ARM, D1: SS, BTYPE, IT).
inline void advance(Context& context, uint64_t esr) {
    constexpr uint64_t ss = 1u << 21, btype = 3u << 10, aarch32 = 1u << 4, il = 1u << 25;
    context.pc += esr & il ? 4 : 2;
    context.pstate &= ~ss;
    if (context.pstate & aarch32) [[unlikely]] {
        constexpr uint64_t it_low = 3u << 25, it_high = 0x3fu << 10;
        uint64_t it = (context.pstate & it_high) >> 8 | (context.pstate & it_low) >> 25;
        it = (it & 7) ? (it & 0xe0) | (it << 1 & 0x1f) : 0;
        context.pstate = (context.pstate & ~(it_low | it_high)) | (it & 0xfc) << 8 | (it & 3) << 25;
    } else {
        context.pstate &= ~btype;
    }
}
/// Takes an exception to EL1 in the vCPU, whose state is in memory: Arm ARM, AArch64.TakeException.
void inject(Vcpu& vcpu, uint64_t esr_el1, uint64_t far_el1);
void inject_undefined(Vcpu& vcpu);

} // namespace bulkhead
