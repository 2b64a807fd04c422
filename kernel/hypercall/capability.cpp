// SPDX-License-Identifier: MIT
// Hypercalls on capability tables: delegate, drop.
#include "hypercall/hypercall.hpp"

namespace bulkhead::hypercall {

/// Objects whose capabilities can be given a badge, once: who calls, which signals, which interrupt
/// lines.
constexpr bool can_be_minted(ObjectType type) {
    return type == ObjectType::endpoint || type == ObjectType::notification || type == ObjectType::partition;
}

static Result<uint64_t> badge_for(const Slot& slot, uint64_t old, uint64_t wanted) {
    if (wanted == 0 || wanted == old) { return old; }
    if (old != 0) { return Status::no_right; }
    return can_be_minted(slot.type) ? Result<uint64_t>(wanted) : Result<uint64_t>(Status::bad_type);
}

Status delegate(Core& core, Vcpu& self, const Arguments& arguments, Target target) {
    const Target source = TRY(self.partition->find(arguments.x[2], ObjectType::none, 0));
    const uint64_t rights = arguments.x[3];
    if (rights & ~uint64_t{source.capability->rights}) { return Status::no_right; }
    const uint64_t badge = TRY(badge_for(*source.slot, source.capability->badge, arguments.x[4]));
    Capability* destination = TRY(free_slot(core, target.as<Partition>(), arguments.x[1]));
    fill_slot(*destination, source.capability->object, rights, badge);
    return Status::ok;
}

Status drop(Core&, Vcpu& self, const Arguments& arguments, Target) {
    Partition* partition = self.partition;
    if (arguments.x[1] != 0) {
        partition = &TRY(partition->lookup<Partition>(arguments.x[1], abi::right::delegate)).as<Partition>();
    }
    const uint64_t index = arguments.x[0];
    if (index >= partition->slots || !partition->table[index].object) { return Status::bad_handle; }
    clear_slot(*partition, partition->table[index]);
    return Status::ok;
}

} // namespace bulkhead::hypercall
