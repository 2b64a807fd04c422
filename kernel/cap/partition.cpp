// SPDX-License-Identifier: MIT
// Building a partition out of pages, VMIDs, and the slots of capability tables.
#include "cap/partition.hpp"
#include "hypercall/hypercall.hpp"
#include "irq/virtual.hpp"
#include "sched/cross.hpp"
#include <new>
#include <utility>

namespace bulkhead {

constexpr unsigned vmid_count = 256; // 8 bits; 0 is nobody's
static bool vmid_taken[vmid_count] = {true};

constexpr uint64_t table_pages(uint32_t slots) { return (slots * sizeof(Capability) + page_mask) / page_size; }

static_assert(sizeof(Partition) <= page_size);

bool reserve_vmid(unsigned vmid) { return vmid < vmid_count && !std::exchange(vmid_taken[vmid], true); }

uint16_t free_vmid() {
    uint16_t vmid = 1;
    while (vmid < vmid_count && vmid_taken[vmid]) { ++vmid; }
    return vmid % vmid_count;
}

void release_vmid(uint16_t vmid) { vmid_taken[vmid] = false; }

Result<Target> Partition::find(abi::Handle handle, ObjectType wanted, unsigned rights) const {
    if (handle >= slots) { return Status::bad_handle; }
    const Target target{objects.find(table[handle].object), &table[handle]};
    if (!target.slot) { return Status::bad_handle; }
    if (wanted != ObjectType::none && target.slot->type != wanted) { return Status::bad_type; }
    if (rights & ~target.capability->rights) { return Status::no_right; }
    return target;
}

uint64_t partition_pages(abi::PartitionKind kind, uint32_t slots) {
    return 2 + table_pages(slots) + (kind == abi::PartitionKind::vm ? 1 : 0); // VirtualInterrupts fits a page, says its header
}

Partition& init_partition(PhysAddr base, uint64_t pages, const PartitionPlan& plan) {
    const uint64_t needed = partition_pages(plan.kind, plan.slots);
    ASSERT(pages >= needed && plan.slots >= 1 && plan.slots <= max_slots);
    auto& partition = *new (hw::pointer<Partition>(base)) Partition{};
    PhysAddr at = base + page_size;
    partition.table = hw::pointer<Capability>(at);
    at = at + table_pages(plan.slots) * page_size;
    if (plan.kind == abi::PartitionKind::vm) {
        partition.interrupts = hw::pointer<VirtualInterrupts>(at);
        partition.interrupts->init(plan.spis);
        at = at + page_size;
    }
    partition.stage2.init(at, plan.vmid);
    partition.stage2.pool().init(at + page_size, pages - needed);
    partition.slots = plan.slots;
    partition.kind = plan.kind;
    partition.object_index = plan.object_index;
    return partition;
}

Result<Capability*> free_slot(Core& core, Partition& partition, uint64_t index) {
    if (index == 0 || index >= partition.slots) { return Status::no_slot; }
    Capability& capability = partition.table[index];
    if (capability.object) {
        if (objects.find(capability.object)) { return Status::no_slot; }
        clear_slot(partition, capability); // what it named is gone
    }
    if (capability.cleared) {
        if (!quiescent(core, partition.drop_ticket)) { return restart; }
        capability.cleared = false;
    }
    return &capability;
}

void fill_slot(Capability& capability, ObjectRef object, uint64_t rights, uint64_t badge) {
    capability.rights = static_cast<uint16_t>(rights);
    capability.badge = badge;
    __atomic_store(&capability.object, &object, __ATOMIC_RELEASE);
}

void clear_slot(Partition& partition, Capability& capability) {
    const Slot* named = objects.find(capability.object);
    ObjectRef none{};
    __atomic_store(&capability.object, &none, __ATOMIC_RELAXED);
    capability.cleared = true;
    partition.drop_ticket = 0; // whoever looked it up before this may still use it: drawn when it is filled again
    if (named && named->type == ObjectType::endpoint) { Destination::forget_all(); }
}

} // namespace bulkhead
