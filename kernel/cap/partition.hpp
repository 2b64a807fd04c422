// SPDX-License-Identifier: MIT
// A partition: a stage-2 address space and a capability table; and the one way from a handle to an
// object.
#pragma once
#include "cap/object.hpp"
#include "mm/stage2.hpp"

namespace bulkhead {

struct Capability {
    ObjectRef object;
    uint16_t rights = 0;
    bool cleared = false; ///< another core may still look at what was here, see Partition::drop_ticket
    uint64_t badge = 0;
};
static_assert(sizeof(Capability) == 16);

/// Where a trap that is no device page goes.
struct TrapRoute {
    ObjectRef endpoint;
    uint32_t badge = 0;
};

struct VirtualInterrupts; // irq/virtual.hpp
constexpr unsigned max_vcpus_per_partition = 8;

/// What a handle names. Nobody else gets the capability's place before every core has left EL2 (Partition::drop_ticket), so its
/// rights and badge stay. Its object does under `mutation`; else a drop on another core makes it none.
struct Target {
    Slot* slot;
    const Capability* capability;
    template <class T> T& as() const;
};

struct Partition {
    static constexpr ObjectType type = ObjectType::partition;
    Stage2 stage2;
    Capability* table;
    uint32_t slots;
    abi::PartitionKind kind;
    bool may_control_machine;
    bool confined; ///< native: no instruction of it uses a register of EL1 that does not trap; what is executable stays as it is
    uint16_t object_index;
    uint32_t object_quota; ///< objects that it may still create
    ObjectRef supervisor;  ///< notification
    uint8_t supervisor_signal;
    TrapRoute traps[static_cast<unsigned>(abi::Trap::count)];
    Vcpu* vcpus[max_vcpus_per_partition];
    Vcpu* last_vcpu[abi::max_cores]; ///< whose translations the core's TLB may hold under this VMID
    VirtualInterrupts* interrupts;   ///< VMs only
    uint64_t drop_ticket;            ///< quiescence since a capability was cleared last
    char name[24];

    /// The object behind `handle`: alive, of this type (none: of any); its capability has all of `rights`. Takes no lock.
    Result<Target> find(abi::Handle handle, ObjectType type, unsigned rights) const;
    template <class T> Result<Target> lookup(abi::Handle handle, unsigned rights) const { return find(handle, T::type, rights); }
};

/// What a partition is made of: pages, in order: itself, its capabilities, for a VM its virtual
/// interrupts, the stage-2 root; the rest are for tables.
struct PartitionPlan {
    uint16_t object_index;
    uint16_t vmid; ///< reserved for it
    abi::PartitionKind kind;
    uint32_t slots; ///< 1..max_slots
    unsigned spis;  ///< VM: a multiple of 32 up to 224
};
constexpr uint32_t max_slots = 1024;
/// Pages that it takes without any for tables.
uint64_t partition_pages(abi::PartitionKind kind, uint32_t slots);
/// Builds it in `pages` zeroed pages; the boot fills in the supervisor, routes, quota and name.
Partition& init_partition(PhysAddr base, uint64_t pages, const PartitionPlan& plan);

/// VMIDs 1..255: false if taken; one that is not, or 0 when none is left.
bool reserve_vmid(unsigned vmid);
uint16_t free_vmid();
void release_vmid(uint16_t vmid);

/// The free slot `index` of its table: no_slot if out of range or taken; restart while another core
/// may look at what was there.
Result<Capability*> free_slot(Core& core, Partition& partition, uint64_t index);
/// A slot becomes visible to lookups on other cores with all of its fields.
void fill_slot(Capability& capability, ObjectRef object, uint64_t rights, uint64_t badge);
void clear_slot(Partition& partition, Capability& capability);

template <> inline Memory& Target::as() const { return slot->memory; }
template <> inline Endpoint& Target::as() const { return slot->endpoint; }
template <> inline Notification& Target::as() const { return slot->notification; }
template <> inline Interrupt& Target::as() const { return slot->interrupt; }
template <> inline Partition& Target::as() const { return *slot->partition; }
template <> inline Vcpu& Target::as() const { return *slot->vcpu; }

} // namespace bulkhead
