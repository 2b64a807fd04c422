// SPDX-License-Identifier: MIT
// Taking, publishing, retiring and reusing the slots of the object table.
#include "cap/object.hpp"
#include "sched/cross.hpp"

namespace bulkhead {

ObjectTable objects;

constexpr uint16_t generations_end = 0x8000; ///< a slot that has come here is never used again
constexpr uint16_t generation_of_none = 0xffff;

[[gnu::section(".text.boot")]] void ObjectTable::init(Slot* slots, uint32_t count) {
    ASSERT(count >= 1 && count <= abi::max_objects);
    slots_ = slots;
    count_ = count;
    free_ = waiting_ = released_ = 0;
    ticket_ = 0;
    slots_[0].generation.store(generation_of_none, std::memory_order_relaxed);
    for (uint32_t index = count; --index > 0;) { push(free_, slots_[index]); }
}

Slot* ObjectTable::find_dying(ObjectRef ref) const {
    Slot& slot = slots_[ref.index()];
    return slot.dying && slot.generation.load(std::memory_order_relaxed) == ref.generation() + 1u ? &slot : nullptr;
}

void ObjectTable::push(uint16_t& list, Slot& slot) {
    slot.free = {list, 0};
    if (list) { slots_[list].free.previous = index(slot); }
    list = index(slot);
}

Slot& ObjectTable::unlink(uint16_t& list, Slot& slot, ObjectType type) {
    auto [next, previous] = slot.free;
    (previous ? slots_[previous].free.next : list) = next;
    if (next) { slots_[next].free.previous = previous; }
    const uint32_t generation = slot.generation.load(std::memory_order_relaxed);
    __builtin_memset(static_cast<void*>(&slot), 0, sizeof(slot));
    slot.generation.store(generation, std::memory_order_relaxed);
    slot.type = type;
    return slot;
}

Slot* ObjectTable::take(ObjectType type) { return free_ ? &unlink(free_, slots_[free_], type) : nullptr; }

[[gnu::section(".text.boot")]] Slot& ObjectTable::take_at(uint16_t index, ObjectType type) {
    ASSERT(index != 0 && index < count_ && slots_[index].type == ObjectType::none);
    return unlink(free_, slots_[index], type);
}

bool ObjectTable::reclaim(Core& core) {
    if (!waiting_) {
        waiting_ = released_;
        released_ = 0;
        ticket_ = 0;
    }
    if (waiting_ && quiescent(core, ticket_)) {
        free_ = waiting_;
        waiting_ = 0;
    }
    return free_ || waiting_;
}

void ObjectTable::publish(Slot& slot) { slot.generation.fetch_add(1, std::memory_order_release); }

void ObjectTable::retire(Slot& slot) {
    if (slot.dying) { return; }
    slot.dying = true;
    slot.generation.fetch_add(1, std::memory_order_release);
}

void ObjectTable::release(Slot& slot) {
    slot.dying = false;
    slot.type = ObjectType::none;
    if (slot.generation.load(std::memory_order_relaxed) != generations_end) { push(released_, slot); }
}

} // namespace bulkhead
