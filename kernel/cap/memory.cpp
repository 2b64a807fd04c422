// SPDX-License-Identifier: MIT
// Memory objects: their states, and the tree of derivations.
#include "cap/memory.hpp"
#include "cap/destroy.hpp"
#include "mm/el2_map.hpp"

namespace bulkhead {

namespace {

using State = Memory::State;

Memory& memory_at(uint16_t index) { return objects.at(index).memory; }

constexpr bool overlap(const Memory& memory, PhysAddr base, uint64_t size) {
    return memory.base.value < base.value + size && base.value < memory.base.value + memory.size;
}

constexpr bool is_mapping(State state) { return state == State::mapped || state == State::unmapping; }

/// Mapped in a partition that is there, or not gone yet.
bool reachable(const Memory& memory) {
    return is_mapping(memory.state) && (objects.find(memory.mapped_in) || objects.find_dying(memory.mapped_in));
}

/// Calls `visit` for the children of `parent`; restart if an interrupt comes in the middle.
template <class Visit> Status for_children(const Memory& parent, Visit visit) {
    unsigned count = 0;
    for (uint16_t index = parent.first_child; index; index = memory_at(index).next_sibling) {
        if (!visit(index, memory_at(index))) { return Status::bad_state; }
        if (++count % 64 == 0 && hw::interrupt_pending()) { return restart; }
    }
    return Status::ok;
}

/// Only this object can reach the pages: no ancestor is mapped, no other derivation of one
/// overlaps.
Status check_exclusive(uint16_t own) {
    const Memory& memory = memory_at(own);
    for (uint16_t node = own; memory_at(node).parent; node = memory_at(node).parent) {
        const Memory& parent = memory_at(memory_at(node).parent);
        if (reachable(parent)) { return Status::bad_state; }
        TRY(for_children(parent, [&](uint16_t index, const Memory& child) {
            return index == node || !overlap(child, memory.base, memory.size);
        }));
    }
    return Status::ok;
}

void count_donation(const Memory& memory, int change) {
    for (uint16_t node = memory.parent; node; node = memory_at(node).parent) { memory_at(node).donated_below += change; }
}

void become_free(Memory& memory) {
    memory.state = State::free;
    memory.mapped_in = {};
    memory.mapped_size = memory.progress = 0;
    memory.failure = 0;
}

Status unmap_step(Core& core, Vcpu& self, Memory& memory) {
    if (Slot* dying = objects.find_dying(memory.mapped_in)) {
        TRY(destroy_step(core, self, *dying));
        return more;
    }
    Slot* partition = objects.find(memory.mapped_in); // none: tables and translations went with it
    if (!partition || memory.progress == memory.mapped_size) {
        become_free(memory);
        return Status::ok;
    }
    memory.state = State::unmapping;
    memory.progress += partition->partition->stage2.unmap(memory.ipa + memory.progress, memory.mapped_size - memory.progress);
    return more;
}

Status return_step(Memory& memory) {
    memory.state = State::returning;
    if (memory.progress > 0) {
        memory.progress -= page_size;
        const PhysAddr page = memory.base + memory.progress;
        zero_page(page);
        clean_page(page);
        hw::dsb_sy(); // the zeroes are in memory, also for a guest that runs without caches
        el2_map::unmap(page);
        if (memory.progress > 0) { return more; }
    }
    count_donation(memory, -1);
    if (memory.donated_to) { finish(objects.at(memory.donated_to)); }
    memory.donated_to = 0;
    become_free(memory);
    return Status::ok;
}

} // namespace

void adopt(Slot& parent, Slot& child) {
    Memory& above = parent.memory;
    Memory& memory = child.memory;
    memory.parent = objects.index(parent);
    memory.depth = static_cast<uint8_t>(above.depth + 1);
    memory.memory_type = above.memory_type;
    memory.donatable = above.donatable;
    memory.next_sibling = above.first_child;
    memory.previous_sibling = 0;
    if (above.first_child) { memory_at(above.first_child).previous_sibling = objects.index(child); }
    above.first_child = objects.index(child);
}

Status check_not_donated(const Memory& parent, PhysAddr base, uint64_t size) {
    if (parent.donated_below == 0) { return Status::ok; }
    return for_children(parent, [&](uint16_t, const Memory& child) {
        const bool donated = child.donated_below != 0 || child.state >= State::donating;
        return !donated || !overlap(child, base, size);
    });
}

Status fill_step(Memory& memory, Partition& partition, const Mapping& mapping) {
    if (memory.donated_below != 0) { return Status::bad_state; }
    memory.state = State::mapped;
    memory.mapped_in = mapping.partition;
    memory.ipa = mapping.ipa;
    memory.access = static_cast<uint8_t>(mapping.access);
    auto done = partition.stage2.map(memory.ipa + memory.mapped_size, memory.base + memory.mapped_size,
                                     memory.size - memory.mapped_size, mapping.access, memory.memory_type);
    if (!done.ok()) { // undo what is there, then say why
        memory.failure = static_cast<uint8_t>(done.status());
        memory.state = State::unmapping;
        return more;
    }
    memory.mapped_size += done.value();
    return memory.mapped_size < memory.size ? more : Status::ok;
}

Status map_step(Core& core, Vcpu& self, Slot& slot, Partition& partition, const Mapping& mapping) {
    Memory& memory = slot.memory;
    const bool same = memory.mapped_in == mapping.partition && memory.ipa == mapping.ipa && memory.access == mapping.access;
    const bool taken = memory.state == State::mapped;
    if (memory.state == State::free || (taken && same && memory.mapped_size < memory.size)) {
        return fill_step(memory, partition, mapping);
    }
    if (memory.state == State::donated || (taken && objects.find(memory.mapped_in))) { return Status::bad_state; }
    const auto failure = static_cast<Status>(memory.failure);
    TRY(free_step(core, self, slot));
    return same && failure != Status::ok ? failure : more;
}

Status free_step(Core& core, Vcpu& self, Slot& slot) {
    Memory& memory = slot.memory;
    if (memory.state == State::free) { return Status::ok; }
    if (is_mapping(memory.state)) { return unmap_step(core, self, memory); }
    if (memory.state == State::donated) { return destroy_step(core, self, objects.at(memory.donated_to)); }
    return return_step(memory);
}

Status donate_step(Core& core, Vcpu& self, Slot& slot) {
    Memory& memory = slot.memory;
    if (memory.state == State::donated) { return Status::bad_state; }
    if (memory.state == State::free) {
        TRY(check_exclusive(objects.index(slot)));
        count_donation(memory, 1);
        memory.state = State::donating;
    }
    if (memory.state != State::donating) {
        TRY(free_step(core, self, slot));
        return more;
    }
    if (memory.progress == memory.size) { return Status::ok; }
    el2_map::map_donated(memory.base + memory.progress);
    zero_page(memory.base + memory.progress);
    memory.progress += page_size;
    return more;
}

void finish_donation(Slot& donor, Slot& slot) {
    donor.memory.state = State::donated;
    donor.memory.donated_to = objects.index(slot);
    slot.donor = objects.index(donor);
}

Status revoke_step(Core& core, Vcpu& self, Slot& slot) {
    Slot* node = &slot;
    while (node->memory.first_child) {
        node = &objects.at(node->memory.first_child);
        objects.retire(*node);
    }
    TRY(free_step(core, self, *node));
    if (node == &slot) { return Status::ok; }
    remove(*node);
    return more;
}

void remove(Slot& slot) {
    Memory& memory = slot.memory;
    if (memory.previous_sibling) {
        memory_at(memory.previous_sibling).next_sibling = memory.next_sibling;
    } else {
        memory_at(memory.parent).first_child = memory.next_sibling;
    }
    if (memory.next_sibling) { memory_at(memory.next_sibling).previous_sibling = memory.previous_sibling; }
    finish(slot);
}

} // namespace bulkhead
