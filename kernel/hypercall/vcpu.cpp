// SPDX-License-Identifier: MIT
// Hypercalls on vCPUs: control, inspection, registers, scheduling parameters.
#include "hypercall/hypercall.hpp"
#include "sched/cross.hpp"
#include "sched/scheduler.hpp"
#include "vcpu/switching.hpp"
#include <algorithm>

namespace bulkhead::hypercall {

using abi::VcpuGroup;
using abi::VcpuOperation;
using abi::VcpuRegister;

namespace {

/// Nobody executes it, and its registers are in memory. restart: its core has yet to look at a request.
Status at_rest(const Vcpu& vcpu) {
    if (!vcpu.is_held()) { return Status::bad_state; }
    if (vcpu.requests.load(std::memory_order_acquire) != 0) { return restart; }
    return Status::ok;
}

Status start(Core& core, Vcpu& vcpu, const Arguments& arguments) {
    if (vcpu.state != VcpuState::off) { return Status::bad_state; }
    TRY(at_rest(vcpu));
    if (arguments.x[2] >= ipa_limit || arguments.x[2] % 4 != 0) { return Status::bad_argument; }
    vcpu.start_entry = arguments.x[2];
    vcpu.start_x0 = arguments.x[3];
    vcpu.start_x1 = arguments.x[4];
    vcpu.start_stack = arguments.x[5];
    hw::ic_ialluis(); // code may be new where it starts
    hw::dsb_ish();
    hw::isb();
    ask(core, vcpu, request::start);
    return Status::ok;
}

Status pause(Core& core, Vcpu& vcpu) {
    if (vcpu.state == VcpuState::off) { return Status::bad_state; }
    if (vcpu.paused && vcpu.requests.load(std::memory_order_acquire) == 0) { return Status::ok; }
    ask(core, vcpu, request::pause);
    return vcpu.core == core.index ? Status::ok : restart;
}

Status resume(Core& core, Vcpu& vcpu) {
    bool repeat = vcpu.state == VcpuState::faulted && !vcpu.native;
    if (!vcpu.paused && !repeat) { return Status::bad_state; }
    ask(core, vcpu, request::resume);
    return Status::ok;
}

Status move(Core& core, Vcpu& vcpu, uint64_t target) {
    if (target >= core_count) { return Status::bad_argument; }
    TRY(at_rest(vcpu));
    if (vcpu.is_tied()) { return Status::bad_state; }
    vcpu.next_core = static_cast<uint8_t>(target);
    if (vcpu.core != target) { ask(core, vcpu, request::leave); }
    return at_rest(vcpu); // another core has yet to do that
}

Status answer(Vcpu& self, std::initializer_list<uint64_t> words) {
    std::ranges::copy(words, &self.context.x[1]);
    return Status::ok;
}

} // namespace

Status vcpu_control(Core& core, Vcpu&, const Arguments& arguments, Target target) {
    auto& vcpu = target.as<Vcpu>();
    if (arguments.x[1] > static_cast<uint64_t>(VcpuOperation::watch)) { return Status::bad_argument; }
    switch (static_cast<VcpuOperation>(arguments.x[1])) {
    case VcpuOperation::start: return start(core, vcpu, arguments);
    case VcpuOperation::stop: return stopped(core, vcpu) ? Status::ok : restart;
    case VcpuOperation::pause: return pause(core, vcpu);
    case VcpuOperation::resume: return resume(core, vcpu);
    case VcpuOperation::move: return move(core, vcpu, arguments.x[2]);
    case VcpuOperation::inject_serror:
        if (vcpu.native) { return Status::bad_type; }
        TRY(at_rest(vcpu));
        inject_serror(vcpu, arguments.x[2]);
        return Status::ok;
    case VcpuOperation::watch:
        if (!vcpu.native) { return Status::bad_type; }
        vcpu.watch_ticks = ticks_from_us(arguments.x[2]);
        return Status::ok;
    }
    return Status::bad_argument;
}

Status vcpu_read(Core&, Vcpu& self, const Arguments& arguments, Target target) {
    auto& vcpu = target.as<Vcpu>();
    uint64_t group = arguments.x[1];
    const uint64_t* x = vcpu.context.x;
    if (group == static_cast<uint64_t>(VcpuGroup::status)) {
        VcpuState state = vcpu.paused && vcpu.state != VcpuState::faulted ? VcpuState::paused : vcpu.state;
        return answer(self, {static_cast<uint64_t>(state), static_cast<uint64_t>(vcpu.fault.reason), vcpu.fault.detail[0],
                             vcpu.fault.detail[1], vcpu.fault.detail[2], vcpu.cpu_ticks});
    }
    if (group == static_cast<uint64_t>(VcpuGroup::exits)) {
        const uint64_t* n = vcpu.exits;
        return answer(self, {n[0] + vcpu.sequence + n[5], vcpu.accesses(), n[2], n[3], n[4], n[5]});
    }
    if (group > static_cast<uint64_t>(VcpuGroup::exits)) { return Status::bad_argument; }
    TRY(at_rest(vcpu));
    if (group == static_cast<uint64_t>(VcpuGroup::pc)) {
        const Context& context = vcpu.context;
        const EagerState& eager = vcpu.eager;
        return answer(self, {context.pc, context.pstate, context.sp, vcpu.lazy.sp_el1, eager.elr_el1, eager.esr_el1});
    }
    uint64_t first = (group - static_cast<uint64_t>(VcpuGroup::general)) * 6;
    for (uint64_t i = 0; i < 6; ++i) { self.context.x[1 + i] = first + i <= 30 ? x[first + i] : 0; }
    return Status::ok;
}

Status vcpu_write(Core&, Vcpu&, const Arguments& arguments, Target target) {
    auto number = static_cast<VcpuRegister>(arguments.x[1]);
    auto& vcpu = target.as<Vcpu>();
    const unsigned allowed = abi::right::control | (number == VcpuRegister::cntvoff ? abi::right::time : 0);
    if (!(target.capability->rights & allowed)) { return Status::no_right; }
    if (arguments.x[1] > static_cast<uint64_t>(VcpuRegister::mpidr)) { return Status::bad_argument; }
    TRY(at_rest(vcpu));
    if (vcpu.native && number > VcpuRegister::pc) { return Status::bad_type; }
    switch (number) {
    case VcpuRegister::pc: vcpu.context.pc = arguments.x[2]; break;
    case VcpuRegister::cntvoff: vcpu.controls.cntvoff = arguments.x[2]; break;
    case VcpuRegister::mpidr: vcpu.controls.vmpidr = (arguments.x[2] & 0xff'00ff'ffff) | 1ull << 31; break;
    default: vcpu.context.x[arguments.x[1]] = arguments.x[2];
    }
    vcpu.interrupts.dirty.store(true, std::memory_order_relaxed); // it is entered with all that has changed
    return Status::ok;
}

Status vcpu_schedule(Core& core, Vcpu&, const Arguments& arguments, Target target) {
    auto& vcpu = target.as<Vcpu>();
    uint64_t priority = arguments.x[1], budget = arguments.x[2], period = arguments.x[3];
    if (priority >= abi::priorities || budget > period || period > 1'000'000'000) { return Status::bad_argument; }
    if (core.account == &vcpu) { end_account(core); } // its slice may end sooner now; it may be throttled till then
    if (vcpu.core != core.index) {
        TRY(at_rest(vcpu)); // and if it is throttled, its core lifts that in time
    } else {
        lift_throttle(core, vcpu);
    }
    make_unready(core, vcpu);
    vcpu.priority = static_cast<uint8_t>(priority);
    vcpu.budget_ticks = ticks_from_us(budget);
    vcpu.period_ticks = ticks_from_us(period);
    vcpu.budget_left = vcpu.budget_ticks;
    if (vcpu.core == core.index && !vcpu.caller) { make_ready(core, vcpu); }
    core.reschedule = true;
    return Status::ok;
}

} // namespace bulkhead::hypercall
