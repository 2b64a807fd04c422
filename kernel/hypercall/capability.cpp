// SPDX-License-Identifier: MIT
// Hypercalls on capability tables: delegate, drop.
#include "hypercall/hypercall.hpp"

namespace bulkhead::hypercall {

/// Objects whose capabilities can be given a badge, once: who calls, which signals, which interrupt
/// lines.
constexpr bool can_be_minted(ObjectType type) {
    return type == ObjectType::endpoint || type == ObjectType::notification || type == ObjectType::partition;
}

Status delegate(Core& core, Vcpu& self, const Arguments& arguments, Target target) {
    const Target source = TRY(self.partition->find(arguments.x[2], ObjectType::none, 0));
    const uint64_t rights = arguments.x[3];
    if (rights & ~uint64_t{source.capability->rights}) { return Status::no_right; }
    uint64_t badge = source.capability->badge;
    if (arguments.x[4] != 0 && arguments.x[4] != badge) {
        if (badge != 0) { return Status::no_right; }
        if (!can_be_minted(source.slot->type)) { return Status::bad_type; }
        badge = arguments.x[4];
    }
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
