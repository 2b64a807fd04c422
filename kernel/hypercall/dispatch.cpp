// SPDX-License-Identifier: MIT
// From the number in the hvc instruction to its handler.
#include "entry/trap.hpp"
#include "hypercall/hypercall.hpp"
#include "ipc/ipc.hpp"
#include "sched/scheduler.hpp"
#include "vcpu/switching.hpp"

namespace bulkhead {

namespace hypercall {

/// By abi::Hypercall, in rows like its header; smccc, call and reply_recv have ways of their own.
// clang-format off
constexpr HypercallHandler* handlers[] = {
    nullptr, nullptr, nullptr, signal,
    delegate, drop, derive, revoke, map, unmap, map_device, create, destroy, bind,
    vcpu_control, vcpu_read, vcpu_write, vcpu_schedule,
    interrupt_line, interrupt_state, interrupt_bind, interrupt_control, machine, route,
    nullptr};
// clang-format on
static_assert(sizeof(handlers) / sizeof(handlers[0]) == abi::hypercall_count + 1);
static_assert(static_cast<unsigned>(abi::Hypercall::signal_recv) == abi::hypercall_count);

} // namespace hypercall

Status hypercall::signal(Core& core, Vcpu&, const Arguments& arguments, Target target) {
    uint64_t allowed = target.capability->badge;
    if (allowed != 0 && (arguments.x[1] & ~allowed) != 0) { return Status::no_right; }
    notify(core, target.as<Notification>(), arguments.x[1]);
    return Status::ok;
}

extern "C" Vcpu* handle_hypercall(Core* core, Vcpu* vcpu, uint64_t number, Target target) {
    HypercallHandler* handler = hypercall::handlers[number];
    if (!handler) {
        vcpu->context.x[0] = static_cast<uint64_t>(Status::unsupported);
        return vcpu;
    }
    const Arguments& arguments = vcpu->context;
    Status result = hypercall_gates[number].mutates ? mutate(handler, *core, *vcpu, arguments, target)
                                                    : handler(*core, *vcpu, arguments, target);
    if (result == restart) {
        hw::yield(); // another core may be what we wait for
        if (core->current == vcpu) { leave(*core); }
        vcpu->context.pc -= 4;
    } else {
        vcpu->context.x[0] = static_cast<uint64_t>(result);
    }
    return leave_kernel(*core);
}

} // namespace bulkhead
