// SPDX-License-Identifier: MIT
// Hypercalls on memory: derive, revoke, map, unmap, map_device.
#include "cap/destroy.hpp"

namespace bulkhead::hypercall {

namespace right = abi::right;

/// Rights of a memory capability that a mapping with this access needs: the same bits, shifted.
constexpr unsigned rights_for(uint64_t access) {
    static_assert(right::read == abi::access::read << 1 && right::write == abi::access::write << 1 &&
                  right::execute == abi::access::execute << 1);
    return right::map_memory | static_cast<unsigned>(access << 1);
}

constexpr bool valid_access(uint64_t access) {
    constexpr uint64_t write_execute = abi::access::write | abi::access::execute;
    return access < 8 && access & abi::access::read && (access & write_execute) != write_execute;
}

Status derive(Core& core, Vcpu& self, const Arguments& arguments, Target target) {
    Partition& own = *self.partition;
    Memory& parent = target.as<Memory>();
    const uint64_t offset = arguments.x[1], size = arguments.x[2], rights = arguments.x[4];
    if (!page_aligned(offset | size) || size == 0) { return Status::bad_argument; }
    if (size > parent.size || offset > parent.size - size) { return Status::bad_argument; }
    if (rights & ~uint64_t{target.capability->rights}) { return Status::no_right; }
    if (parent.state >= Memory::State::donating || parent.revoking) { return Status::bad_state; }
    if (parent.depth == max_derivation_depth) { return Status::no_slot; }
    Capability* destination = TRY(free_slot(core, own, arguments.x[3]));
    const PhysAddr base = parent.base + offset;
    TRY(check_not_donated(parent, base, size));
    TRY(check_quota(core, own));
    Slot& slot = *objects.take(ObjectType::memory);
    slot.memory.base = base;
    slot.memory.size = size;
    adopt(*target.slot, slot);
    return publish(own, slot, *destination, rights);
}

Status revoke(Core& core, Vcpu& self, const Arguments&, Target target) {
    Memory& memory = target.as<Memory>();
    memory.revoking = true;
    const Status status = run([&] { return revoke_step(core, self, *target.slot); });
    if (status != restart) { memory.revoking = false; }
    return status;
}

Status map(Core& core, Vcpu& self, const Arguments& arguments, Target target) {
    const uint64_t access = arguments.x[3];
    if (!valid_access(access)) { return Status::bad_argument; }
    const Target named = TRY(self.partition->lookup<Memory>(arguments.x[1], rights_for(access)));
    const Memory& memory = named.as<Memory>();
    const bool device = memory.memory_type == abi::MemoryType::device;
    const bool execute = access & abi::access::execute;
    if (device && execute) { return Status::bad_argument; }
    if (execute && target.as<Partition>().confined) { return Status::bad_state; } // its instructions are known
    const Mapping mapping{target.capability->object, {arguments.x[2]}, access};
    return run([&] { return map_step(core, self, *named.slot, target.as<Partition>(), mapping); });
}

Status unmap(Core& core, Vcpu& self, const Arguments&, Target target) {
    if (target.as<Memory>().state == Memory::State::donated) { return Status::bad_state; }
    return run([&] { return free_step(core, self, *target.slot); });
}

Status map_device(Core&, Vcpu& self, const Arguments& arguments, Target target) {
    const GuestAddr ipa{arguments.x[1]};
    const uint64_t pages = arguments.x[2], badge = arguments.x[4];
    DevicePage page;
    if (arguments.x[3] != ~uint64_t{0}) {
        const Target endpoint = TRY(self.partition->lookup<Endpoint>(arguments.x[3], right::serve));
        if (badge >> 32 != 0) { return Status::bad_argument; }
        page = DevicePage::make(endpoint.capability->object, static_cast<uint32_t>(badge));
    }
    uint64_t count = 0;
    const Status status = run([&] {
        auto step = target.as<Partition>().stage2.set_device(ipa + count * page_size, pages - count, page);
        if (!step.ok()) { return step.status(); }
        count += step.value();
        return count < pages ? more : Status::ok;
    });
    Destination::forget_all();
    self.context.x[1] += count * page_size; // a restart does the rest
    self.context.x[2] -= count;
    return status;
}

} // namespace bulkhead::hypercall
