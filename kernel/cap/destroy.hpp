// SPDX-License-Identifier: MIT
// The end of objects, in bounded steps that anybody with a reason to can go on with. All of it
// under `mutation`.
#pragma once
#include "cap/memory.hpp"

namespace bulkhead {

/// Takes one slot from the creator's quota, for `slot`.
void charge(Partition& creator, Slot& slot);
/// Gives the quota back and frees the slot. Nothing names the object any more.
void finish(Slot& slot);

/// Some notification is bound to it (a vCPU has one at most).
bool takes_signals(const Vcpu& vcpu);

/// Towards the end of any object but an interrupt. bad_state: it is `self` or its partition, or
/// memory of the boot's.
Status destroy_step(Core& core, Vcpu& self, Slot& slot);

} // namespace bulkhead
