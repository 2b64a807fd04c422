// SPDX-License-Identifier: MIT
// The end of objects, in bounded steps that anybody with a reason to can go on with. All of it
// under `mutation`.
#pragma once
#include "cap/memory.hpp"

namespace bulkhead {

/// ok: `creator` may make an object, and there is a slot for it. no_slot; restart.
Status check_quota(Core& core, const Partition& creator);
/// The finished object takes one from its creator's quota, and comes to life with this capability to it.
Status publish(Partition& creator, Slot& slot, Capability& destination, uint64_t rights);
/// Gives the quota back and frees the slot. Nothing names the object any more.
void finish(Slot& slot);

/// Some notification is bound to it (a vCPU has one at most).
bool takes_signals(const Vcpu& vcpu);

/// Towards the end of any object but an interrupt. bad_state: it is `self` or its partition, or
/// memory of the boot's.
Status destroy_step(Core& core, Vcpu& self, Slot& slot);

} // namespace bulkhead
