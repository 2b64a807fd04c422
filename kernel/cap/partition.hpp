// SPDX-License-Identifier: MIT
// A partition: a stage-2 address space and a capability table; and the one way from a handle to an object.
#pragma once
#include "cap/object.hpp"
#include "mm/stage2.hpp"

namespace bulkhead {

struct Capability {
    ObjectRef object;
    uint16_t rights = 0;
    uint16_t reserved = 0;
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

/// What a lookup yields: the object and what the capability says about it.
template <class T> struct Found {
    T* object = nullptr;
    Slot* slot = nullptr;
    const Capability* capability = nullptr;
    T* operator->() const { return object; }
    T& operator*() const { return *object; }
};

struct Partition {
    static constexpr ObjectType type = ObjectType::partition;
    Stage2 stage2;
    Capability* table;
    uint32_t slots;
    abi::PartitionKind kind;
    bool may_control_machine;
    bool dying;
    uint16_t object_index;
    uint16_t object_quota;       ///< objects that it may still create
    ObjectRef supervisor;        ///< notification
    uint8_t supervisor_signal;
    TrapRoute traps[static_cast<unsigned>(abi::Trap::count)];
    Vcpu* vcpus[max_vcpus_per_partition];
    Vcpu* last_vcpu[abi::max_cores]; ///< whose translations the core's TLB may hold under this VMID
    VirtualInterrupts* interrupts;   ///< VMs only
    char name[24];

    template <class T> static T* object_in(Slot& slot);

    /// The object behind `handle` if it is alive, a T, and the capability has all of `rights`. Takes no lock.
    template <class T> Result<Found<T>> lookup(abi::Handle handle, unsigned rights) const {
        if (handle >= slots) [[unlikely]]
            return Status::bad_handle;
        const Capability& capability = table[handle];
        Slot* slot = objects.find(capability.object);
        if (!slot || !capability.object) [[unlikely]]
            return Status::bad_handle;
        if (slot->type != T::type) [[unlikely]]
            return Status::bad_type;
        if ((capability.rights & rights) != rights) [[unlikely]]
            return Status::no_right;
        return Found<T>{object_in<T>(*slot), slot, &capability};
    }
};

template <> inline Memory* Partition::object_in(Slot& slot) { return &slot.memory; }
template <> inline Endpoint* Partition::object_in(Slot& slot) { return &slot.endpoint; }
template <> inline Notification* Partition::object_in(Slot& slot) { return &slot.notification; }
template <> inline Interrupt* Partition::object_in(Slot& slot) { return &slot.interrupt; }
template <> inline Partition* Partition::object_in(Slot& slot) { return slot.partition; }
template <> inline Vcpu* Partition::object_in(Slot& slot) { return slot.vcpu; }

} // namespace bulkhead
