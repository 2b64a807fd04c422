// SPDX-License-Identifier: MIT
// The form of every hypercall handler, and how a long operation restarts instead of waiting at EL2.
#pragma once
#include "sched/core.hpp"

namespace bulkhead {

/// x0..x8 as the caller gave them, read once by the dispatcher.
struct Arguments {
    uint64_t x[9];
};

/// Not for partitions: the hypercall is not finished; the vCPU executes it again (with interrupts taken in between). What is
/// already done is recorded in the objects. Every wait of the core (for a lock, for another core, for a long range) is this.
constexpr Status restart{0x8000'0000'0000'0000};

/// The status goes to x0. Results, on success only, a handler writes to self.context.x[1..8] itself.
using HypercallHandler = Status(Core& core, Vcpu& self, const Arguments& arguments);

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

} // namespace bulkhead
