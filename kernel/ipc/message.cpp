// SPDX-License-Identifier: MIT
// From a trapped instruction to a message, and back.
#include "ipc/message.hpp"

namespace bulkhead {

using abi::Action;
using abi::Kind;
using abi::ReplyTag;
using abi::Tag;

static uint64_t source_register(const Vcpu& vcpu, unsigned number) { return number == 31 ? 0 : vcpu.context.x[number]; }

static void write_access(const Vcpu& caller, Value<EsrEl2> esr, uint64_t (&to)[31]) {
    bool write = esr.get(EsrEl2::wnr);
    unsigned size = 1u << esr.get(EsrEl2::sas);
    to[1] = Tag::make(write ? Kind::mmio_write : Kind::mmio_read, 0, size, caller.index).bits;
    to[2] = caller.ipa;
    uint64_t value = write ? source_register(caller, static_cast<unsigned>(esr.get(EsrEl2::srt))) : 0;
    to[3] = size == 8 ? value : value & ((1ull << 8 * size) - 1);
}

static void write_system_register(const Vcpu& caller, Value<EsrEl2> esr, uint64_t (&to)[31]) {
    bool read = esr.get(EsrEl2::read);
    to[1] = Tag::make(read ? Kind::sysreg_read : Kind::sysreg_write, 0, 8, caller.index).bits;
    to[2] = esr.with(EsrEl2::rt, 0).with(EsrEl2::read, 0).get(EsrEl2::iss);
    to[3] = read ? 0 : source_register(caller, static_cast<unsigned>(esr.get(EsrEl2::rt)));
}

static void write_trap_answer(Vcpu& caller, const uint64_t (&words)[abi::message_words]) {
    Value<EsrEl2> esr{caller.esr};
    switch (esr.get(EsrEl2::ec)) {
    case ec::data_abort:
        if (!esr.get(EsrEl2::wnr)) { write_loaded(caller, esr.bits, words[0]); }
        break;
    case ec::msr:
        if (esr.get(EsrEl2::read) && esr.get(EsrEl2::rt) != 31) { caller.context.x[esr.get(EsrEl2::rt)] = words[0]; }
        break;
    case ec::wfx: break;
    case ec::hvc64: // the preferred return address is already behind it
        for (unsigned i = 0; i < 4; ++i) { caller.context.x[i] = words[i]; }
        return;
    default:
        for (unsigned i = 0; i < 4; ++i) { caller.context.x[i] = words[i]; }
    }
    advance(caller.context, esr.bits);
}

void write_message(const Vcpu& caller, uint64_t (&to)[31]) {
    Value<EsrEl2> esr{caller.esr};
    to[0] = caller.badge;
    for (unsigned i = 3; i < 8; ++i) { to[i] = 0; }
    to[8] = caller.sequence;
    if (caller.native) {
        to[1] = Tag::make(Kind::call, static_cast<uint16_t>(caller.context.x[1]), 0, caller.index).bits;
        for (unsigned i = 2; i < 8; ++i) { to[i] = caller.context.x[i]; }
        return;
    }
    switch (esr.get(EsrEl2::ec)) {
    case ec::data_abort: write_access(caller, esr, to); break;
    case ec::msr: write_system_register(caller, esr, to); break;
    case ec::wfx:
        to[1] = Tag::make(Kind::wfx, static_cast<uint16_t>(esr.get(EsrEl2::ti)), 0, caller.index).bits;
        to[2] = virtual_timer_deadline(caller);
        break;
    default:
        to[1] = Tag::make(Kind::smccc, esr.get(EsrEl2::ec) == ec::smc64, 0, caller.index).bits;
        for (unsigned i = 0; i < 6; ++i) { to[2 + i] = caller.context.x[i]; }
    }
    if (caller.may_repeat) { to[1] |= Tag::repeated_bit; }
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
    case Action::off: write_trap_answer(caller, words); break;
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
