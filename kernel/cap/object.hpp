// SPDX-License-Identifier: MIT
// The global object table: slots of one size, found by index, guarded by a generation. A
// capability, a device page and a reverse link all name an object as (index, generation);
// destroying it makes every such name stale at once.
#pragma once
#include "abi/hypercall.hpp"
#include "abi/image.hpp"
#include "lib/types.hpp"
#include <atomic>

namespace bulkhead {

using abi::ObjectType;
struct Core;
struct Vcpu;
struct Partition;

/// Names an object; zero names none. Bits 0..14: the index, 15..29: the generation; a slot whose generation is used up
/// is retired.
struct ObjectRef {
    uint32_t bits = 0;
    static constexpr ObjectRef make(uint32_t index, uint32_t generation) { return {index | generation << 15}; }
    constexpr uint16_t index() const { return bits & 0x7fff; }
    constexpr uint16_t generation() const { return static_cast<uint16_t>(bits >> 15); }
    constexpr bool operator==(const ObjectRef&) const = default;
    constexpr explicit operator bool() const { return bits != 0; }
};

/// A contiguous range of physical pages. Mapped at most once; sharing derives another one. Changed
/// only under `mutation`.
struct Memory {
    static constexpr ObjectType type = ObjectType::memory;
    /// unmapping, donating, returning: in the middle of bounded steps, see cap/memory.hpp; also mapped, until mapped_size == size.
    enum class State : uint8_t { free, mapped, unmapping, donating, donated, returning };
    PhysAddr base;
    uint64_t size;       ///< bytes, whole pages
    GuestAddr ipa;       ///< where mapped
    ObjectRef mapped_in; ///< the partition; when that partition is gone, this counts as free
    uint16_t parent, first_child, next_sibling, previous_sibling; ///< derivation tree, indices
    abi::MemoryType memory_type;
    State state;
    uint8_t donatable;      ///< EL2 has tables to map it
    uint8_t access;         ///< of the mapping
    uint8_t depth;          ///< ancestors
    bool revoking;          ///< nothing can be derived from it now
    uint8_t failure;        ///< Status of a map call that is being rolled back (unmapping)
    uint16_t donated_to;    ///< the object that lives in it
    uint32_t donated_below; ///< donated descendants: while there are any it cannot be mapped
    uint64_t mapped_size;   ///< bytes mapped so far
    uint64_t progress;      ///< bytes: unmapped so far (unmapping), at EL2 (donating, returning); else zero
};

/// Where synchronous IPC is served: per core the one vCPU that handles it there.
struct Endpoint {
    static constexpr ObjectType type = ObjectType::endpoint;
    Vcpu* server[abi::max_cores];
    uint64_t max_ticks; ///< of the system counter, for one request; 0: no bound
};

/// A set of pending signals, bound to the vCPU that takes them.
struct Notification {
    static constexpr ObjectType type = ObjectType::notification;
    std::atomic<uint64_t> pending;
    Vcpu* target;
};

/// A physical interrupt line.
struct Interrupt {
    static constexpr ObjectType type = ObjectType::interrupt;
    uint32_t intid;
    uint8_t core;
    bool edge;
    bool active;            ///< delivered, not yet acknowledged
    ObjectRef notification; ///< bound to this one, signal bit `signal`, or
    ObjectRef vm;           ///< hardware-linked to virtual interrupt `signal` of this partition
    uint32_t signal;
};

struct alignas(abi::object_slot_bytes) Slot {
    std::atomic<uint32_t> generation; ///< even: free, odd: in use
    ObjectType type;
    bool dying;        ///< retired, not yet released: being destroyed in steps
    uint16_t donor;    ///< memory that it lives in, object index; 0: the core's pool or none
    uint8_t stage;     ///< of its destruction
    ObjectRef creator; ///< partition that pays for it from its quota; none: boot
    union {
        uint64_t cursor; ///< of its destruction: where a scan goes on
        struct {
            uint16_t next, previous;
        } free; ///< not in the object's own fields: those may still have readers
    };
    uint64_t ticket; ///< of its destruction: quiescence
    union {
        Memory memory;
        Endpoint endpoint;
        Notification notification;
        Interrupt interrupt;
        Partition* partition;
        Vcpu* vcpu;
    };
};
static_assert(sizeof(Slot) == abi::object_slot_bytes);

/// Lookups take no lock. What changes it holds `mutation` (or is the boot).
class ObjectTable {
public:
    /// `slots` are all zero; slot 0 names nothing.
    void init(Slot* slots, uint32_t count);
    /// The live slot that `ref` names, or null. Only this table makes names: their indices are not checked.
    Slot* find(ObjectRef ref) const {
        Slot& slot = slots_[ref.index()];
        return slot.generation.load(std::memory_order_acquire) == ref.generation() ? &slot : nullptr;
    }
    /// The slot that `ref` named until it was retired, while its destruction goes on; or null.
    Slot* find_dying(ObjectRef ref) const;
    Slot& at(uint16_t index) const { return slots_[index]; }
    uint32_t count() const { return count_; }
    uint16_t index(const Slot& slot) const { return static_cast<uint16_t>(&slot - slots_); }
    ObjectRef ref(const Slot& slot) const { return ObjectRef::make(index(slot), slot.generation.load(std::memory_order_relaxed)); }
    ObjectRef ref(uint16_t index) const { return ref(slots_[index]); }
    /// Takes a free slot, of the given type, all zero; null when none is free now. Not yet
    /// findable: publish() makes it so.
    Slot* take(ObjectType type);
    bool can_take() const { return free_ != 0; }
    /// With no free slot: makes released ones free again once every core has left EL2 since. False:
    /// there are none.
    bool reclaim(Core& core);
    /// The boot table chooses its indices itself.
    Slot& take_at(uint16_t index, ObjectType type);
    void publish(Slot& slot);
    /// Makes every name of it stale; it is dying until release().
    void retire(Slot& slot);
    void release(Slot& slot);

private:
    void push(uint16_t& list, Slot& slot);
    Slot& unlink(uint16_t& list, Slot& slot, ObjectType type);

    Slot* slots_ = nullptr;
    uint32_t count_ = 0;
    uint16_t free_ = 0;     ///< for take()
    uint16_t waiting_ = 0;  ///< free when ticket_ says that nobody looks at them any more
    uint16_t released_ = 0; ///< since that ticket was drawn
    uint64_t ticket_ = 0;
};

extern ObjectTable objects;

} // namespace bulkhead
