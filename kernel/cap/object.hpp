// SPDX-License-Identifier: MIT
// The global object table: slots of one size, found by index, guarded by a generation. A capability, a device page and a reverse
// link all name an object as (index, generation); destroying it makes every such name stale at once.
#pragma once
#include "abi/hypercall.hpp"
#include "abi/image.hpp"
#include "lib/types.hpp"
#include <atomic>

namespace bulkhead {

using abi::ObjectType;
struct Vcpu;
struct Partition;

/// Names an object; zero names none. The generation has 15 bits; a slot whose generation is used up is retired.
struct ObjectRef {
    uint16_t index = 0;
    uint16_t generation = 0;
    constexpr bool operator==(const ObjectRef&) const = default;
    constexpr explicit operator bool() const { return index != 0; }
};

/// A contiguous range of physical pages. Mapped at most once; sharing derives another one.
struct Memory {
    static constexpr ObjectType type = ObjectType::memory;
    enum class State : uint8_t { free, mapped, donated };
    PhysAddr base;
    uint64_t size;          ///< bytes, whole pages
    GuestAddr ipa;          ///< where mapped
    ObjectRef mapped_in;    ///< the partition; stale when that partition is gone: then it counts as free
    uint16_t parent, first_child, next_sibling, previous_sibling; ///< derivation tree, object indices
    abi::MemoryType memory_type;
    State state;
    uint8_t donatable;      ///< EL2 has tables to map it
    uint16_t donated_to;    ///< object index, when donated
    uint64_t progress;      ///< bytes done by an interrupted operation on it
};

/// Where synchronous IPC is served: per core the one vCPU that handles it there.
struct Endpoint {
    static constexpr ObjectType type = ObjectType::endpoint;
    Vcpu* server[abi::max_cores];
    uint64_t max_ticks;     ///< of the system counter, for one request; 0: no bound
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

struct alignas(128) Slot {
    std::atomic<uint16_t> generation; ///< even: free, odd: in use
    ObjectType type;
    uint16_t creator;       ///< partition object that pays for it from its quota; 0: boot
    ObjectRef donor;        ///< memory donated for it
    union {
        Memory memory;
        Endpoint endpoint;
        Notification notification;
        Interrupt interrupt;
        Partition* partition;
        Vcpu* vcpu;
        uint16_t next_free;
    };
};
static_assert(sizeof(Slot) == abi::object_slot_bytes);

class ObjectTable {
  public:
    void init(Slot* slots, uint32_t count);
    /// The live slot that `ref` names, or null.
    Slot* find(ObjectRef ref) const {
        if (ref.index >= count_) [[unlikely]]
            return nullptr;
        Slot& slot = slots_[ref.index];
        return slot.generation.load(std::memory_order_acquire) == ref.generation ? &slot : nullptr;
    }
    Slot& at(uint16_t index) const { return slots_[index]; }
    uint32_t count() const { return count_; }
    ObjectRef ref(const Slot& slot) const {
        return {static_cast<uint16_t>(&slot - slots_), slot.generation.load(std::memory_order_relaxed)};
    }
    ObjectRef ref(uint16_t index) const { return ref(slots_[index]); }
    /// Takes a free slot, of the given type, all zero; null when none is left. Not yet findable: publish() makes it so.
    Slot* take(ObjectType type);
    /// The boot table chooses its indices itself.
    Slot& take_at(uint16_t index, ObjectType type);
    void publish(Slot& slot);
    /// Makes every name of it stale; the slot is free for take() after release().
    void retire(Slot& slot);
    void release(Slot& slot);

  private:
    Slot* slots_ = nullptr;
    uint32_t count_ = 0;
    uint16_t free_ = 0;
};

extern ObjectTable objects;

} // namespace bulkhead
