// SPDX-License-Identifier: MIT
// From a trapped instruction to a message, and from the answer back into the vCPU's registers. No hardware is touched.
#pragma once
#include "abi/message.hpp"
#include "regs/el2.hpp"
#include "vcpu/vcpu.hpp"

namespace bulkhead {

/// When the virtual timer of a vCPU, whose state is in memory, fires, in CNTPCT ticks; none unless it is enabled and not masked, or
/// if that is beyond the counter's last value. (An offset from 2^63 on is a counter that is ahead.)
inline uint64_t virtual_timer_deadline(const Vcpu& vcpu) {
    const uint64_t cval = vcpu.eager.cntv_cval_el0, at = cval + vcpu.controls.cntvoff;
    const bool beyond = at < cval && !(vcpu.controls.cntvoff >> 63);
    return (vcpu.eager.cntv_ctl_el0 & 3) == 1 && !beyond ? at : abi::no_deadline;
}
/// What a trap, or a call, says to its server; who says it, and how often, comes with it.
struct Request {
    uint64_t tag;
    uint64_t word[abi::message_words];
};
inline uint64_t request_tag(const Vcpu& caller, abi::Kind kind) { return caller.tag + abi::Tag::make(kind, 0, 0, 0).bits; }
inline uint64_t source_register(const Vcpu& vcpu, uint64_t number) { return number == 31 ? 0 : vcpu.context.x[number]; }

/// A data abort on a device page (Arm ARM, ISS encoding for a Data Abort, ISV = 1).
[[gnu::always_inline]] inline Request access_request(const Vcpu& guest, uint64_t esr, uint64_t ipa) {
    constexpr uint64_t wnr = 6, sas = 22, srt = 16, write_step = 1u << 16;
    static_assert(static_cast<unsigned>(abi::Kind::mmio_write) == static_cast<unsigned>(abi::Kind::mmio_read) + 1);
    uint64_t log2_size = esr >> sas & 3, write = esr >> wnr & 1, unused = -(8u << log2_size) & 63;
    uint64_t tag = request_tag(guest, abi::Kind::mmio_read) + write * write_step + (1ull << 32 << log2_size);
    return {tag, {ipa, write ? source_register(guest, esr >> srt & 31) << unused >> unused : 0}};
}
/// A trapped MRS or MSR (ISS encoding for an exception from MSR, MRS).
[[gnu::always_inline]] inline Request register_request(const Vcpu& guest, uint64_t esr) {
    constexpr uint64_t read = 1, rt = 5, encoding = 0x3f'fc1e;
    auto kind = esr & read ? abi::Kind::sysreg_read : abi::Kind::sysreg_write;
    return {request_tag(guest, kind) + (8ull << 32), {esr & encoding, esr & read ? 0 : source_register(guest, esr >> rt & 31)}};
}
/// HVC #0 or SMC #0.
[[gnu::always_inline]] inline Request firmware_request(const Vcpu& guest, uint64_t esr) {
    const uint64_t* x = guest.context.x;
    return {request_tag(guest, abi::Kind::smccc) + (esr >> 26 == ec::smc64), {x[0], x[1], x[2], x[3], x[4], x[5]}};
}
/// What a native partition calls with: its tag, of which the label counts, and its words.
[[gnu::always_inline]] inline Request call_request(const Vcpu& caller, uint64_t tag, const uint64_t (&w)[abi::message_words]) {
    return {request_tag(caller, abi::Kind::call) + (tag & 0xffff), {w[0], w[1], w[2], w[3], w[4], w[5]}};
}
/// The request for the trap that `caller.esr` describes, or the native caller's own.
Request request_of(const Vcpu& caller);
/// Writes it as a message to x0..x8 of `to`.
void write_message(const Vcpu& caller, uint64_t (&to)[32]);
/// Applies a server's answer to the vCPU that waits for it.
void write_answer(Vcpu& caller, uint64_t tag, const uint64_t (&words)[abi::message_words]);
/// What the instruction read, with the width and sign that its syndrome says, in its register.
inline void write_loaded(Vcpu& vcpu, uint64_t esr, uint64_t value) {
    constexpr uint64_t sse = 1u << 21, sf = 1u << 15;
    unsigned unused = -(8u << (esr >> 22 & 3)) & 63;
    value = value << unused >> unused;
    if (esr & sse) [[unlikely]] {
        value = static_cast<uint64_t>(static_cast<int64_t>(value << unused) >> unused);
        if (!(esr & sf)) { value = static_cast<uint32_t>(value); }
    }
    vcpu.context.x[esr >> 16 & 31] = value;
}
/// The words of an answer in their registers.
[[gnu::always_inline]] inline void write_words(Vcpu& guest, uint64_t esr, uint64_t w0, uint64_t w1, uint64_t w2, uint64_t w3) {
    constexpr uint64_t wnr = 1u << 6, read = 1, rt = 5, only_msr = ec::msr << 26 & ~(ec::hvc64 << 26), not_wfx = 1u << 30;
    static_assert(!((ec::hvc64 | ec::smc64 | ec::wfx) << 26 & only_msr) && !(ec::wfx << 26 & not_wfx));
    uint64_t* x = guest.context.x;
    if (esr >> 26 == ec::data_abort) [[likely]] {
        if (!(esr & wnr)) { write_loaded(guest, esr, w0); }
    } else if (esr & only_msr) {
        if (esr & read) { x[esr >> rt & 31] = w0; }
    } else if (esr & not_wfx) {
        x[0] = w0, x[1] = w1, x[2] = w2, x[3] = w3;
    }
}
/// Past the trapped instruction: PC, and what an executed instruction clears in PSTATE (Arm ARM, D1: SS, BTYPE, IT).
void advance(Context& context, uint64_t esr);
inline bool is_aarch32(const Context& context) { return context.pstate & 1u << 4; }
/// PSTATE behind an A64 instruction.
inline uint64_t executed(uint64_t pstate) {
    constexpr uint64_t ss = 1u << 21, btype = 3u << 10;
    pstate &= ~ss;
    asm("" : "+r"(pstate)); // together they are no immediate
    return pstate & ~btype;
}
/// Takes an exception to EL1 in the vCPU, whose state is in memory: Arm ARM, AArch64.TakeException.
void inject(Vcpu& vcpu, uint64_t esr_el1, uint64_t far_el1);
void inject_undefined(Vcpu& vcpu);

} // namespace bulkhead
