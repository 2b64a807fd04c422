// SPDX-License-Identifier: MIT
// Exception routing: what a partition's exception is, and to which endpoint it goes.
#include "entry/trap.hpp"
#include "ipc/ipc.hpp"
#include "ipc/shortcut.hpp"
#include "irq/gic.hpp"
#include "irq/physical.hpp"
#include "sched/cross.hpp"
#include "sched/scheduler.hpp"
#include "vcpu/fault.hpp"
#include "vcpu/switching.hpp"

namespace bulkhead {

using abi::Trap;

namespace {

constexpr unsigned exits_mmio = 1, exits_sysreg = 2, exits_smccc = 3, exits_wfx = 4, exits_irq = 5;

[[gnu::cold, gnu::noinline]] Vcpu* faulted(Core& core, Vcpu& vcpu, FaultReason reason, uint64_t detail = 0) {
    fault(core, vcpu, reason, detail);
    return leave_kernel(core);
}

Vcpu* route(Core& core, Vcpu& vcpu, Trap trap) {
    const TrapRoute& route = vcpu.partition->traps[static_cast<unsigned>(trap)];
    return make_request(core, vcpu, route.endpoint, route.badge);
}

/// An abort that is no access to a device page.
[[gnu::cold, gnu::noinline]] Vcpu* memory_fault(Core& core, Vcpu& vcpu, Value<EsrEl2> esr) {
    constexpr uint64_t permission = 0x0c, kind = 0x3c;
    bool fetch = esr.get(EsrEl2::ec) == ec::instruction_abort;
    if (vcpu.native && fetch && (vcpu.far & ~page_mask) == (native_vbar & ~page_mask)) {
        vcpu.eager.elr_el1 = hw::read<hw::ElrEl1>().bits;
        return faulted(core, vcpu, FaultReason::exception, hw::read<hw::EsrEl1>().bits);
    }
    uint64_t entry = vcpu.partition->stage2.descriptor({vcpu.ipa});
    if (DevicePage{entry}.is_device()) { return faulted(core, vcpu, FaultReason::undecodable); }
    bool forbidden = (esr.get(EsrEl2::fsc) & kind) == permission;
    return faulted(core, vcpu, forbidden ? FaultReason::permission : FaultReason::stage2);
}

inline void note_address(Vcpu& vcpu) {
    uint64_t far = hw::read<hw::FarEl2>().bits;
    vcpu.far = far;
    vcpu.ipa = hw::read<hw::HpfarEl2>().bits << 8 | (far & page_mask);
}

/// A data abort from stage 2. A device page is a level 3 descriptor.
[[gnu::always_inline]] inline Vcpu* abort(Core& core, Vcpu& vcpu, Value<EsrEl2> esr) {
    constexpr auto device_access = EsrEl2::isv(1) | EsrEl2::fsc(0x07), decides = EsrEl2::isv(1) | EsrEl2::fsc(0x3f);
    note_address(vcpu);
    if ((esr.bits & decides.bits) == device_access.bits) [[likely]] {
        DevicePage page{vcpu.partition->stage2.descriptor({vcpu.ipa})};
        if (page.is_device() && !vcpu.native) [[likely]] {
            ++vcpu.exits[exits_mmio];
            return device_request(core, vcpu, esr.bits, page);
        }
    }
    return memory_fault(core, vcpu, esr);
}

/// Executed at EL1 or EL0 by a VM: not ours to emulate.
[[gnu::cold, gnu::noinline]] Vcpu* refuse_instruction(Core& core, Vcpu& vcpu) {
    leave(core);
    inject_undefined(vcpu);
    return schedule(core);
}

Trap system_register_trap(Value<EsrEl2> esr) {
    uint64_t crn = esr.get(EsrEl2::iss) >> 10 & 15, op0 = esr.get(EsrEl2::iss) >> 20 & 3;
    if (op0 == 3 && crn == 14) { return Trap::timer; }
    return op0 == 3 && (crn == 12 || crn == 4) ? Trap::gic : Trap::sysreg;
}

/// WFI, WFE: nothing to wait for if an interrupt can be delivered; a native partition gives up its slice.
Vcpu* wait(Core& core, Vcpu& vcpu, Value<EsrEl2> esr) {
    ++vcpu.exits[exits_wfx];
    leave(core); // the message tells when its timer fires
    if (!vcpu.native && !deliverable(vcpu)) { return route(core, vcpu, esr.get(EsrEl2::ti) & 1 ? Trap::wfe : Trap::wfi); }
    advance(vcpu.context, esr.bits);
    if (vcpu.queued) {
        core.ready.remove(vcpu);
        core.ready.push_back(vcpu);
    }
    return schedule(core);
}

/// Instructions that partitions do not have, by exception class; the coprocessors are AArch32 EL0's.
constexpr uint64_t not_offered = 1ull << ec::sve | 1ull << ec::sme | 1ull << ec::pointer_auth | 1ull << ec::ld64b |
                                 1ull << ec::cp15_32 | 1ull << ec::cp15_64 | 1ull << ec::cp14_32 | 1ull << ec::cp14_load |
                                 1ull << ec::cp14_64;

/// Everything but data aborts and hypercalls.
[[gnu::noinline]] Vcpu* other(Core& core, Vcpu& vcpu, Value<EsrEl2> esr) {
    uint64_t kind = esr.get(EsrEl2::ec);
    vcpu.registers_saved = true;
    if (kind == ec::instruction_abort) {
        ++vcpu.exits[0];
        note_address(vcpu);
        return memory_fault(core, vcpu, esr);
    }
    if (kind == ec::wfx) { return wait(core, vcpu, esr); }
    if (vcpu.native) { return faulted(core, vcpu, FaultReason::synchronous, esr.bits); }
    if (not_offered >> kind & 1) { return refuse_instruction(core, vcpu); }
    switch (kind) {
    case ec::fp:
        ++vcpu.exits[0];
        take_fp(core, vcpu);
        return leave_kernel(core);
    case ec::msr: ++vcpu.exits[exits_sysreg]; return route(core, vcpu, system_register_trap(esr));
    case ec::smc64: ++vcpu.exits[exits_smccc]; return route(core, vcpu, Trap::smccc);
    default: return faulted(core, vcpu, FaultReason::synchronous, esr.bits);
    }
}

/// A hypercall of a native partition; a VM's firmware call, or its `hvc #n`, which is undefined there.
[[gnu::noinline]] Vcpu* hypervisor_call(Core& core, Vcpu& vcpu, Value<EsrEl2> esr) {
    uint64_t number = esr.get(EsrEl2::imm16);
    if (vcpu.native) { return hypercall_from(core, vcpu, number); }
    if (number != 0) {
        hw::write<hw::ElrEl2>({hw::read<hw::ElrEl2>().bits - 4}); // undefined: taken at the instruction
        return refuse_instruction(core, vcpu);
    }
    ++vcpu.exits[exits_smccc];
    return route(core, vcpu, Trap::smccc);
}

/// One acknowledged physical interrupt; each handler ends it.
void handle_interrupt(Core& core, uint32_t intid) {
    switch (intid) {
    case gic::ipi: gic::end(intid); return serve_inbox(core);
    case gic::hypervisor_timer: timer_interrupt(core); return gic::end(intid);
    case gic::virtual_timer: return vtimer_fired(core);
    case gic::maintenance: return maintenance(core);
    default: physical(core, intid);
    }
}

} // namespace

extern "C" Vcpu* handle_sync(Vcpu* vcpu, Core* core) {
    auto esr = hw::read<EsrEl2>();
    vcpu->esr = esr.bits;
    uint64_t kind = esr.get(EsrEl2::ec);
    if (kind == ec::data_abort) [[likely]] { return abort(*core, *vcpu, esr); }
    if (kind == ec::hvc64) { return hypervisor_call(*core, *vcpu, esr); }
    return other(*core, *vcpu, esr);
}

void take_interrupts(Core& core) {
    constexpr uint64_t none = 1020;
    for (unsigned i = 0; i < 16; ++i) {
        uint64_t intid = hw::read<hw::IccIar1>().bits & 0xff'ffff;
        if (intid >= none) { return; }
        hw::dsb_sy(); // the acknowledge before anything the interrupt makes us look at
        handle_interrupt(core, static_cast<uint32_t>(intid));
    }
}

extern "C" Vcpu* handle_irq(Vcpu* vcpu, Core* core) {
    ++vcpu->exits[exits_irq];
    vcpu->registers_saved = true;
    take_interrupts(*core);
    return leave_kernel(*core);
}

extern "C" [[gnu::cold]] Vcpu* handle_serror(Vcpu* vcpu, Core* core) {
    vcpu->esr = hw::read<EsrEl2>().bits;
    vcpu->registers_saved = true;
    switch (serror_scope(vcpu->esr, hw::has_ras())) {
    case SerrorScope::partition: return faulted(*core, *vcpu, FaultReason::serror, vcpu->esr);
    case SerrorScope::machine: panic("\"an SError that cannot be attributed to a partition\"", __FILE__, __LINE__);
    case SerrorScope::none: break;
    }
    return leave_kernel(*core);
}

} // namespace bulkhead
