// SPDX-License-Identifier: MIT
// From the number in the hvc instruction to its handler.
#include "entry/trap.hpp"
#include "hypercall/hypercall.hpp"
#include "ipc/ipc.hpp"
#include "sched/scheduler.hpp"

namespace bulkhead {

/// By abi::Hypercall; smccc, call and reply_recv have ways of their own.
constexpr HypercallHandler* handlers[] = {nullptr,
                                          nullptr,
                                          nullptr,
                                          hypercall::signal,
                                          hypercall::delegate,
                                          hypercall::drop,
                                          hypercall::derive,
                                          hypercall::revoke,
                                          hypercall::map,
                                          hypercall::unmap,
                                          hypercall::map_device,
                                          hypercall::create,
                                          hypercall::destroy,
                                          hypercall::bind,
                                          hypercall::vcpu_control,
                                          hypercall::vcpu_read,
                                          hypercall::vcpu_write,
                                          hypercall::vcpu_schedule,
                                          hypercall::interrupt_line,
                                          hypercall::interrupt_state,
                                          hypercall::interrupt_bind,
                                          hypercall::interrupt_control,
                                          hypercall::machine,
                                          hypercall::route};
static_assert(sizeof(handlers) / sizeof(handlers[0]) == abi::hypercall_count + 1);
static_assert(static_cast<unsigned>(abi::Hypercall::route) == abi::hypercall_count);

Status hypercall::signal(Core& core, Vcpu& self, const Arguments& arguments) {
    auto notification = TRY(self.partition->lookup<Notification>(arguments.x[0], abi::right::signal));
    uint64_t allowed = notification.capability.badge;
    if (allowed != 0 && (arguments.x[1] & ~allowed) != 0) { return Status::no_right; }
    notify(core, *notification, arguments.x[1]);
    return Status::ok;
}

Vcpu* hypercall_from(Core& core, Vcpu& vcpu, uint64_t number) {
    vcpu.registers_saved = true;
    if (number == static_cast<uint64_t>(abi::Hypercall::call)) { return call(core, vcpu); }
    HypercallHandler* handler = number <= abi::hypercall_count ? handlers[number] : nullptr;
    if (!handler) {
        vcpu.context.x[0] = static_cast<uint64_t>(Status::unsupported);
        return &vcpu;
    }
    Arguments arguments;
    for (unsigned i = 0; i < 9; ++i) { arguments.x[i] = vcpu.context.x[i]; }
    Status result = mutates(number) ? mutate(handler, core, vcpu, arguments) : handler(core, vcpu, arguments);
    if (result == restart) {
        hw::yield(); // another core may be what we wait for
        if (core.current == &vcpu) {
            hw::write<hw::ElrEl2>({hw::read<hw::ElrEl2>().bits - 4});
        } else {
            vcpu.context.pc -= 4;
        }
        return leave_kernel(core);
    }
    vcpu.context.x[0] = static_cast<uint64_t>(result);
    return leave_kernel(core);
}

} // namespace bulkhead
