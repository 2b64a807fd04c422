// SPDX-License-Identifier: MIT
// Where exceptions from partitions arrive from entry/vectors.S; each returns the vCPU to enter.
#pragma once
#include "hypercall/hypercall.hpp"

namespace bulkhead {

extern "C" Vcpu* handle_sync(Core* core, Vcpu* vcpu);
extern "C" Vcpu* handle_irq(Core* core, Vcpu* vcpu);
extern "C" Vcpu* handle_serror(Core* core, Vcpu* vcpu);
/// A native partition's, but call and reply_recv (ipc/ipc.hpp), of a known number. `target` has passed its gate.
extern "C" Vcpu* handle_hypercall(Core* core, Vcpu* vcpu, uint64_t number, Target target);
/// Takes one physical interrupt, if there is one; also while idle. If another is pending, the next ERET or WFI ends at once.
void take_interrupt(Core& core);

} // namespace bulkhead
