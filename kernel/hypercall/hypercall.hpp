// SPDX-License-Identifier: MIT
// The form of every hypercall handler, what it may be called on, and how a long operation restarts instead of waiting at EL2.
#pragma once
#include "hypercall/gate.hpp"
#include "lib/lock.hpp"
#include "sched/core.hpp"

namespace bulkhead {

/// The caller's registers: x0..x8. Results go there, too: a handler writes them when it has read all of its arguments.
using Arguments = Context;

/// Not for partitions: the hypercall is not finished; the vCPU executes it again (with interrupts taken in between). What is
/// already done is recorded in the objects. Every wait of the core (for a lock, for another core, for a long range) is this.
constexpr Status restart{0x8000'0000'0000'0000};

/// `target`: what x0 names, as the gate has found it; nothing behind a gate without a type. The status goes to x0. Results, on
/// success only, a handler writes to self.context.x[1..8] itself.
using HypercallHandler = Status(Core& core, Vcpu& self, const Arguments& arguments, Target target);

namespace hypercall {
// call and reply_recv are not of this form, see ipc/ipc.hpp
HypercallHandler signal;                                                             // hypercall/dispatch.cpp
HypercallHandler delegate, drop;                                                     // hypercall/capability.cpp
HypercallHandler derive, revoke, map, unmap, map_device;                             // hypercall/memory.cpp
HypercallHandler create, destroy, bind, route;                                       // hypercall/objects.cpp
HypercallHandler vcpu_control, vcpu_read, vcpu_write, vcpu_schedule;                 // hypercall/vcpu.cpp
HypercallHandler interrupt_line, interrupt_state, interrupt_bind, interrupt_control; // hypercall/interrupt.cpp
HypercallHandler machine;                                                            // hypercall/machine.cpp
} // namespace hypercall

/// Whoever finds the lock taken, or whose partition is being destroyed, comes again; and whose target is gone since the gate.
inline Status mutate(HypercallHandler* handler, Core& core, Vcpu& self, const Arguments& arguments, Target target) {
    if (mutation.exchange(true, std::memory_order_acquire)) { return restart; }
    const bool stale = target.slot && objects.find(target.capability->object) != target.slot;
    const bool dying = objects.at(self.partition->object_index).dying;
    Status status = dying || stale ? restart : handler(core, self, arguments, target);
    mutation.store(false, std::memory_order_release);
    return status;
}

} // namespace bulkhead
