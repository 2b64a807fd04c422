// SPDX-License-Identifier: MIT
// From a trapped instruction to a message, and back.
#include "ipc/message.hpp"
#include <algorithm>

namespace bulkhead {

using abi::Action;
using abi::Kind;
using abi::ReplyTag;
using abi::Tag;

Request request_of(const Vcpu& caller) {
    const uint64_t* x = caller.context.x;
    if (caller.native) { return call_request(caller, x[1], {x[2], x[3], x[4], x[5], x[6], x[7]}); }
    Value<EsrEl2> esr{caller.esr};
    switch (esr.get(EsrEl2::ec)) {
    case ec::data_abort: return access_request(caller, caller.esr, caller.ipa);
    case ec::msr: return register_request(caller, caller.esr);
    case ec::wfx: return {request_tag(caller, Kind::wfx) + esr.get(EsrEl2::ti), {virtual_timer_deadline(caller)}};
    default: return firmware_request(caller, caller.esr);
    }
}

void write_message(const Vcpu& caller, uint64_t (&to)[32]) {
    Request request = request_of(caller);
    to[0] = caller.badge;
    to[1] = request.tag | (caller.may_repeat ? Tag::repeated_bit : 0);
    std::copy_n(request.word, abi::message_words, &to[2]);
    to[8] = caller.sequence;
}

void write_answer(Vcpu& caller, uint64_t tag, const uint64_t (&words)[abi::message_words]) {
    ReplyTag reply{tag};
    if (caller.native) {
        caller.context.x[0] = static_cast<uint64_t>(Status::ok);
        caller.context.x[1] = reply.label();
        for (unsigned i = 0; i < abi::message_words; ++i) { caller.context.x[2 + i] = words[i]; }
        return;
    }
    switch (reply.action()) {
    case Action::advance:
    case Action::wait:
    case Action::off:
        write_words(caller, caller.esr, words[0], words[1], words[2], words[3]);
        advance(caller.context, caller.esr);
        break;
    case Action::undefined: inject_undefined(caller); break;
    case Action::abort: {
        constexpr uint64_t external = 0x10, same_el = 0x25, lower_el = 0x24;
        bool from_el1 = caller.context.pstate & 4;
        inject(caller, (from_el1 ? same_el : lower_el) << 26 | 1u << 25 | (caller.esr & 1u << 6) | external, caller.far);
        break;
    }
    default: break; // retry, fault: the instruction runs again, or never
    }
}

void advance(Context& context, uint64_t esr) {
    if (!is_aarch32(context)) {
        context.pc += 4, context.pstate = executed(context.pstate);
        return;
    }
    constexpr uint64_t ss = 1u << 21, il = 1u << 25, it_low = 3u << 25, it_high = 0x3fu << 10;
    uint64_t it = (context.pstate & it_high) >> 8 | (context.pstate & it_low) >> 25;
    it = (it & 7) ? (it & 0xe0) | (it << 1 & 0x1f) : 0;
    context.pc += esr & il ? 4 : 2;
    context.pstate = (context.pstate & ~(ss | it_low | it_high)) | (it & 0xfc) << 8 | (it & 3) << 25;
}

void inject(Vcpu& vcpu, uint64_t esr_el1, uint64_t far_el1) {
    constexpr uint64_t el1h_masked = 0x3c5, pan = 1u << 22, span = 1u << 23, flags = 0xf000'0000, dit = 1u << 24, ssbs = 1u << 12,
                       dssbs = 1ull << 44;
    Context& context = vcpu.context;
    vcpu.eager.esr_el1 = esr_el1;
    vcpu.eager.far_el1 = far_el1;
    vcpu.eager.elr_el1 = context.pc;
    vcpu.eager.spsr_el1 = context.pstate;
    uint64_t mode = context.pstate & 0x1f;
    uint64_t offset = mode & 0x10 ? 0x600 : mode == 0x5 ? 0x200 : mode == 0x4 ? 0 : 0x400;
    uint64_t keep = context.pstate & (flags | pan | (mode & 0x10 ? 0 : dit));
    if (hw::has_pan() && !(vcpu.eager.sctlr_el1 & span)) { keep |= pan; }
    if (vcpu.eager.sctlr_el1 & dssbs) { keep |= ssbs; }
    context.pc = (vcpu.eager.vbar_el1 & ~0x7ffull) + offset;
    context.pstate = keep | el1h_masked;
}

void inject_undefined(Vcpu& vcpu) { inject(vcpu, Value<EsrEl2>{vcpu.esr}.get(EsrEl2::il) << 25, vcpu.eager.far_el1); }

} // namespace bulkhead
