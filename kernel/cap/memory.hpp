// SPDX-License-Identifier: MIT
// What happens to Memory objects in bounded steps: mapping, unmapping, donation and its return; and
// the derivation tree. All of it under `mutation`. Between two steps the object's state says how
// far it is, so that any caller can go on or undo.
#pragma once
#include "hypercall/hypercall.hpp"

namespace bulkhead {

/// Not for partitions: a step is done and others are to follow (restart: it waits for another
/// core).
constexpr Status more{0x8000'0000'0000'0001};

/// Repeats a step while there is more to do and no interrupt to take.
template <class Step> Status run(Step step) {
    for (;;) {
        const Status status = step();
        if (status != more) { return status; }
        if (hw::interrupt_pending()) { return restart; }
    }
}

constexpr unsigned max_derivation_depth = 32;

/// Makes `child`, whose base and size are set, a derivation of `parent`.
void adopt(Slot& parent, Slot& child);
/// ok: nothing donated lies in [base, base+size) among the children of `parent`; else bad_state, or
/// restart.
Status check_not_donated(const Memory& parent, PhysAddr base, uint64_t size);

/// Where a Memory is to be mapped.
struct Mapping {
    ObjectRef partition;
    GuestAddr ipa;
    uint64_t access;
};
/// Maps more of a Memory that is free, or mapped just there and not yet whole. ok: all of it is.
Status fill_step(Memory& memory, Partition& partition, const Mapping& mapping);
/// ok: mapped there. bad_state: in use otherwise.
Status map_step(Core& core, Vcpu& self, Slot& slot, Partition& partition, const Mapping& mapping);

/// Towards state `free`, from wherever it is: unmaps it, or returns it from donation (zeroed),
/// which destroys what lives in it. bad_state: that would be `self` or its partition.
Status free_step(Core& core, Vcpu& self, Slot& slot);

/// Towards `donating` with all of it zeroed and mapped at EL2: unmaps it first. bad_state: somebody
/// else can reach its pages.
Status donate_step(Core& core, Vcpu& self, Slot& slot);
/// The object of `slot` now lives in it. When that is gone and its state `returning`, free_step brings the pages back and releases
/// the slot.
void finish_donation(Slot& donor, Slot& slot);

/// Destroys everything derived from it, then frees it.
Status revoke_step(Core& core, Vcpu& self, Slot& slot);
/// Takes a derived Memory that is free, without children, and retired out of the tree, and its slot
/// out of use.
void remove(Slot& slot);

} // namespace bulkhead
