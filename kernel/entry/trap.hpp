// SPDX-License-Identifier: MIT
// Where exceptions from partitions arrive from entry/vectors.S; each returns the vCPU to enter.
#pragma once
#include "sched/core.hpp"

namespace bulkhead {

extern "C" Vcpu* handle_sync(Vcpu* vcpu, Core* core);
extern "C" Vcpu* handle_irq(Vcpu* vcpu, Core* core);
extern "C" Vcpu* handle_serror(Vcpu* vcpu, Core* core);
/// Takes every pending physical interrupt; also while idle.
void take_interrupts(Core& core);
Vcpu* hypercall_from(Core& core, Vcpu& vcpu, uint64_t number);

} // namespace bulkhead
