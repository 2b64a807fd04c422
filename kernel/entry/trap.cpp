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

constexpr uint64_t op0_is_3 = 1u << 20; ///< of a trapped MRS or MSR: not 2, debug
constexpr unsigned exits_sysreg = 2, exits_smccc = 3, exits_wfx = 4, exits_irq = 5;

[[gnu::cold, gnu::noinline]] Vcpu* faulted(Core& core, Vcpu& vcpu, FaultReason reason, uint64_t detail = 0) {
    fault(core, vcpu, reason, detail);
    return leave_kernel(core);
}

/// The first request on this way, and every one of a vCPU that has more to leave than the shortcut does. `found`: Destination::now
/// before anything was looked up.
[[gnu::cold, gnu::noinline]] Vcpu* find_destination(Core& core, Vcpu& guest, Destination& to, TrapRoute route, uint64_t found) {
    Vcpu* server = server_of(core, route.endpoint);
    if (server && !guest.leaves_slowly) { to = {found, server, route.badge, route.endpoint}; }
    return make_request(core, guest, route.endpoint, route.badge);
}

[[gnu::cold, gnu::noinline]] Vcpu* find_route(Core& core, Vcpu& guest, Destination& to, Trap trap) {
    const uint64_t found = Destination::now.load(std::memory_order_acquire);
    return find_destination(core, guest, to, guest.partition->traps[static_cast<unsigned>(trap)], found);
}

/// An abort that is no access to a device page.
[[gnu::cold, gnu::noinline]] Vcpu* memory_fault(Core& core, Vcpu& vcpu, Value<EsrEl2> esr) {
    constexpr uint64_t permission = 0x0c, kind = 0x3c;
    bool fetch = esr.get(EsrEl2::ec) == ec::instruction_abort;
    const bool at_el1h = hw::read<hw::SpsrEl2>().bits & 1; // else it has only gone there, and ELR_EL1 is a VM's
    if (vcpu.native && at_el1h && fetch && (vcpu.far & ~page_mask) == (native_vbar & ~page_mask)) {
        vcpu.eager.elr_el1 = hw::read<hw::ElrEl1>().bits;
        return faulted(core, vcpu, FaultReason::exception, hw::read<hw::EsrEl1>().bits);
    }
    if (DevicePage{vcpu.partition->stage2.descriptor({vcpu.ipa})}.is_device()) {
        return faulted(core, vcpu, FaultReason::undecodable);
    }
    bool forbidden = (esr.get(EsrEl2::fsc) & kind) == permission;
    return faulted(core, vcpu, forbidden ? FaultReason::permission : FaultReason::stage2);
}

/// Returns HPFAR_EL2.
inline uint64_t note_address(Vcpu& vcpu) {
    uint64_t far = hw::read<hw::FarEl2>().bits, hpfar = hw::read<hw::HpfarEl2>().bits;
    vcpu.far = far;
    vcpu.ipa = hpfar << 8 | (far & page_mask);
    return hpfar;
}

/// The walk to a device page is done once.
[[gnu::cold, gnu::noinline]] Vcpu* find_device_page(Core& core, Vcpu& vcpu, Value<EsrEl2> esr) {
    const uint64_t found = Destination::now.load(std::memory_order_acquire);
    const DevicePage page{vcpu.partition->stage2.descriptor({vcpu.ipa})};
    if (vcpu.native || !page.is_device() || !esr.get(EsrEl2::isv)) { return memory_fault(core, vcpu, esr); }
    vcpu.hpfar = vcpu.ipa >> 12 << 4;
    return find_destination(core, vcpu, vcpu.device, {page.endpoint(), page.badge()}, found);
}

/// A data abort from stage 2. A device page is a level 3 descriptor.
[[gnu::always_inline]] inline Vcpu* abort(Core& core, Vcpu& vcpu, Value<EsrEl2> esr) {
    uint64_t hpfar = note_address(vcpu);
    const bool known = hw::both_equal(hpfar, vcpu.hpfar, vcpu.device.found, Destination::current());
    if (!known || !esr.get(EsrEl2::isv)) [[unlikely]] { return find_device_page(core, vcpu, esr); }
    return request_from_vm(core, vcpu, vcpu.device, access_request(vcpu, esr.bits, vcpu.ipa));
}

/// Executed at EL1 or EL0 by a VM: not ours to emulate.
[[gnu::cold, gnu::noinline]] Vcpu* refuse_instruction(Core& core, Vcpu& vcpu) {
    leave(core);
    inject_undefined(vcpu);
    return schedule(core);
}

[[gnu::cold, gnu::noinline]] Vcpu* find_register(Core& core, Vcpu& vcpu, Value<EsrEl2> esr) {
    if (vcpu.native) { return faulted(core, vcpu, FaultReason::synchronous, esr.bits); }
    const uint64_t crn = esr.bits >> 10 & 15;
    if (!(esr.bits & op0_is_3)) { return find_route(core, vcpu, vcpu.debug, Trap::sysreg); }
    return find_route(core, vcpu, vcpu.registers[crn], crn == 14 ? Trap::timer : crn == 12 || crn == 4 ? Trap::gic : Trap::sysreg);
}

[[gnu::always_inline]] inline Vcpu* register_access(Core& core, Vcpu& vcpu, uint64_t esr) {
    ++vcpu.exits[exits_sysreg];
    const Destination* place = &vcpu.registers[esr >> 10 & 15];
    asm("" : "+r"(place)); // computed once
    const Destination& to = *place;
    if (to.found != Destination::current() || !(esr & op0_is_3)) [[unlikely]] { return find_register(core, vcpu, {esr}); }
    return request_from_vm(core, vcpu, to, register_request(vcpu, esr));
}

/// WFI, WFE: who answers a VM's looks at the time, the core then at interrupts; a native partition gives up its slice.
[[gnu::noinline]] Vcpu* wait(Core& core, Vcpu& vcpu, Value<EsrEl2> esr) {
    if (!vcpu.native) {
        ++vcpu.exits[exits_wfx];
        const TrapRoute& route = vcpu.partition->traps[static_cast<unsigned>(esr.get(EsrEl2::ti) & 1 ? Trap::wfe : Trap::wfi)];
        return make_request(core, vcpu, route.endpoint, route.badge);
    }
    leave(core);
    ++vcpu.exits[0];
    advance(vcpu.context, esr.bits);
    if (core.account == &vcpu && vcpu.queued) { core.ready.to_back(vcpu); } // it is the first of its priority
    return schedule(core);
}

/// A VM's HVC #0, which leaves the PC behind itself.
[[gnu::always_inline]] inline Vcpu* firmware_call(Core& core, Vcpu& vcpu) {
    ++vcpu.exits[exits_smccc];
    if (vcpu.called.found != Destination::current()) [[unlikely]] {
        step_back(4);
        return find_route(core, vcpu, vcpu.called, Trap::smccc);
    }
    return request_from_vm(core, vcpu, vcpu.called, firmware_request(vcpu, ec::hvc64 << 26), 4);
}

/// Instructions that partitions do not have, by exception class; the coprocessors are AArch32 EL0's.
constexpr uint64_t not_offered = 1ull << ec::sve | 1ull << ec::sme | 1ull << ec::pointer_auth | 1ull << ec::ld64b |
                                 1ull << ec::cp15_32 | 1ull << ec::cp15_64 | 1ull << ec::cp14_32 | 1ull << ec::cp14_load |
                                 1ull << ec::cp14_64;

/// Everything but data aborts and hypercalls.
[[gnu::noinline]] Vcpu* other(Core& core, Vcpu& vcpu, Value<EsrEl2> esr) {
    uint64_t kind = esr.get(EsrEl2::ec);
    if (kind == ec::instruction_abort) {
        ++vcpu.exits[0];
        note_address(vcpu);
        return memory_fault(core, vcpu, esr);
    }
    if (vcpu.native) { return faulted(core, vcpu, FaultReason::synchronous, esr.bits); }
    if (not_offered >> kind & 1) { return refuse_instruction(core, vcpu); }
    switch (kind) {
    case ec::fp:
        ++vcpu.exits[0];
        take_fp(core, vcpu);
        return leave_kernel(core);
    case ec::smc64: // rare: the device tree names HVC
        ++vcpu.exits[exits_smccc];
        return find_route(core, vcpu, vcpu.called, Trap::smccc);
    default: return faulted(core, vcpu, FaultReason::synchronous, esr.bits);
    }
}

/// A VM's firmware call, or its `hvc #n`, which is undefined there; a native partition's of no known number.
[[gnu::always_inline]] inline Vcpu* hypervisor_call(Core& core, Vcpu& vcpu, Value<EsrEl2> esr) {
    if (vcpu.native) {
        vcpu.context.x[0] = static_cast<uint64_t>(Status::unsupported);
        return &vcpu;
    }
    if (esr.get(EsrEl2::imm16) == 0) [[likely]] { return firmware_call(core, vcpu); }
    step_back(4);
    return refuse_instruction(core, vcpu);
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

extern "C" Vcpu* handle_sync(Core* core, Vcpu* vcpu) {
    auto esr = hw::read<EsrEl2>();
    vcpu->esr = esr.bits;
    uint64_t kind = esr.get(EsrEl2::ec);
    if (kind == ec::data_abort) [[likely]] { return abort(*core, *vcpu, esr); }
    if (kind == ec::hvc64) { return hypervisor_call(*core, *vcpu, esr); }
    if (kind == ec::msr) { return register_access(*core, *vcpu, esr.bits); }
    if (kind == ec::wfx) { return wait(*core, *vcpu, esr); }
    return other(*core, *vcpu, esr);
}

void take_interrupt(Core& core) {
    constexpr uint64_t none = 1020;
    uint64_t intid = hw::read<hw::IccIar1>().bits & 0xff'ffff;
    if (intid >= none) { return; }
    hw::dsb_sy(); // the acknowledge before anything the interrupt makes us look at
    handle_interrupt(core, static_cast<uint32_t>(intid));
}

extern "C" Vcpu* handle_irq(Core* core, Vcpu* vcpu) {
    ++vcpu->exits[exits_irq];
    take_interrupt(*core);
    return leave_kernel(*core);
}

extern "C" [[gnu::cold]] Vcpu* handle_serror(Core* core, Vcpu* vcpu) {
    vcpu->esr = hw::read<EsrEl2>().bits;
    switch (serror_scope(vcpu->esr, hw::has_ras())) {
    case SerrorScope::partition: return faulted(*core, *vcpu, FaultReason::serror, vcpu->esr);
    case SerrorScope::machine: panic("\"an SError that cannot be attributed to a partition\"", __FILE__, __LINE__);
    case SerrorScope::none: break;
    }
    return leave_kernel(*core);
}

} // namespace bulkhead
