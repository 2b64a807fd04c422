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

/// A handler's value goes to x1. Handlers with more results write self.context.x[1..8] themselves.
using HypercallResult = Result<uint64_t>;
using HypercallHandler = HypercallResult (*)(Core& core, Vcpu& self, const Arguments& arguments);

namespace hypercall {
// ipc: call and reply_recv are not in the table's form, see ipc/ipc.hpp
HypercallResult signal(Core&, Vcpu&, const Arguments&);           // hypercall/signal.cpp
HypercallResult delegate(Core&, Vcpu&, const Arguments&);         // hypercall/capability.cpp
HypercallResult drop(Core&, Vcpu&, const Arguments&);
HypercallResult derive(Core&, Vcpu&, const Arguments&);           // hypercall/memory.cpp
HypercallResult revoke(Core&, Vcpu&, const Arguments&);
HypercallResult map(Core&, Vcpu&, const Arguments&);
HypercallResult unmap(Core&, Vcpu&, const Arguments&);
HypercallResult map_device(Core&, Vcpu&, const Arguments&);
HypercallResult create(Core&, Vcpu&, const Arguments&);           // hypercall/objects.cpp
HypercallResult destroy(Core&, Vcpu&, const Arguments&);
HypercallResult bind(Core&, Vcpu&, const Arguments&);
HypercallResult vcpu_control(Core&, Vcpu&, const Arguments&);     // hypercall/vcpu.cpp
HypercallResult vcpu_read(Core&, Vcpu&, const Arguments&);
HypercallResult vcpu_write(Core&, Vcpu&, const Arguments&);
HypercallResult vcpu_schedule(Core&, Vcpu&, const Arguments&);
HypercallResult interrupt_line(Core&, Vcpu&, const Arguments&);   // hypercall/interrupt.cpp
HypercallResult interrupt_state(Core&, Vcpu&, const Arguments&);
HypercallResult interrupt_bind(Core&, Vcpu&, const Arguments&);
HypercallResult interrupt_control(Core&, Vcpu&, const Arguments&);
HypercallResult machine(Core&, Vcpu&, const Arguments&);          // hypercall/machine.cpp
} // namespace hypercall

} // namespace bulkhead
