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
using HypercallHandler = Status (*)(Core& core, Vcpu& self, const Arguments& arguments);

namespace hypercall {
// ipc: call and reply_recv are not in the table's form, see ipc/ipc.hpp
Status signal(Core&, Vcpu&, const Arguments&);   // hypercall/signal.cpp
Status delegate(Core&, Vcpu&, const Arguments&); // hypercall/capability.cpp
Status drop(Core&, Vcpu&, const Arguments&);
Status derive(Core&, Vcpu&, const Arguments&); // hypercall/memory.cpp
Status revoke(Core&, Vcpu&, const Arguments&);
Status map(Core&, Vcpu&, const Arguments&);
Status unmap(Core&, Vcpu&, const Arguments&);
Status map_device(Core&, Vcpu&, const Arguments&);
Status create(Core&, Vcpu&, const Arguments&); // hypercall/objects.cpp
Status destroy(Core&, Vcpu&, const Arguments&);
Status bind(Core&, Vcpu&, const Arguments&);
Status route(Core&, Vcpu&, const Arguments&);
Status vcpu_control(Core&, Vcpu&, const Arguments&); // hypercall/vcpu.cpp
Status vcpu_read(Core&, Vcpu&, const Arguments&);
Status vcpu_write(Core&, Vcpu&, const Arguments&);
Status vcpu_schedule(Core&, Vcpu&, const Arguments&);
Status interrupt_line(Core&, Vcpu&, const Arguments&); // hypercall/interrupt.cpp
Status interrupt_state(Core&, Vcpu&, const Arguments&);
Status interrupt_bind(Core&, Vcpu&, const Arguments&);
Status interrupt_control(Core&, Vcpu&, const Arguments&);
Status machine(Core&, Vcpu&, const Arguments&); // hypercall/machine.cpp
} // namespace hypercall

} // namespace bulkhead
