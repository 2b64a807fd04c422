// SPDX-License-Identifier: MIT
// Destroying objects: stale at once, then stopped, unlinked, out of every core's hands, and their
// pages returned zeroed.
#include "cap/destroy.hpp"
#include "ipc/ipc.hpp"
#include "irq/virtual.hpp"
#include "sched/cross.hpp"
#include <algorithm>

namespace bulkhead {

namespace {

constexpr uint64_t scan_slots = 16;
constexpr uint8_t stage_unlink = 0, stage_release = 1, stage_settle = 2, stage_return = 3;

Notification no_signals{}; ///< what a vCPU whose notification is gone takes its signals from

void retire_vcpu(Slot& slot) {
    if (slot.dying) { return; }
    slot.vcpu->partition->leaving[slot.vcpu->index] = objects.ref(slot);
    objects.retire(slot);
}

/// Calls `visit` for every slot, a bounded number at a time; slot.cursor says how far.
template <class Visit> Status scan(Slot& slot, Visit visit) {
    const uint64_t end = std::min<uint64_t>(slot.cursor + scan_slots, objects.count());
    for (; slot.cursor < end; ++slot.cursor) { visit(objects.at(static_cast<uint16_t>(slot.cursor))); }
    return slot.cursor < objects.count() ? more : Status::ok;
}

/// The vCPU is off, and nothing of it is in its core's hardware or queues.
bool settled(Core& core, Vcpu& vcpu) {
    if (!stopped(core, vcpu)) { return false; }
    const Core& owner = *cores[vcpu.core];
    if (owner.resident != &vcpu && owner.fp_owner != &vcpu && !vcpu.timer_armed()) { return true; }
    ask(core, vcpu, request::stop); // off by its own wish, or by a fault
    return false;
}

/// The last stage: pages go back to the memory object they are of, and with the last one the slot
/// is free.
Status return_pages(Core& core, Vcpu& self, Slot& slot) {
    if (slot.donor == 0) { // the boot's: its pages stay with the core
        finish(slot);
        return Status::ok;
    }
    Slot& donor = objects.at(slot.donor);
    if (donor.memory.state == Memory::State::donated) { begin_return(donor.memory); }
    return free_step(core, self, donor);
}

void unlink(Slot& other, const Vcpu& vcpu) {
    if (other.type == ObjectType::endpoint) {
        for (Vcpu*& server : other.endpoint.server) {
            if (server == &vcpu) { __atomic_store_n(&server, nullptr, __ATOMIC_RELEASE); }
        }
    } else if (other.type == ObjectType::notification && other.notification.target == &vcpu) {
        __atomic_store_n(&other.notification.target, nullptr, __ATOMIC_RELEASE);
    }
}

Status destroy_vcpu(Core& core, Vcpu& self, Slot& slot) {
    Vcpu& vcpu = *slot.vcpu;
    if (&vcpu == &self) { return Status::bad_state; }
    retire_vcpu(slot);
    Partition& partition = *vcpu.partition;
    if (slot.stage == stage_unlink) {
        if (!settled(core, vcpu)) { return restart; }
        TRY(scan(slot, [&](Slot& other) { unlink(other, vcpu); }));
        recheck(core); // who waits for it as a server
        partition.vcpus[vcpu.index] = nullptr;
        slot.stage = stage_settle;
        return more;
    }
    // Nobody asks it for anything after the first, and what was asked before is done after the second.
    if (!quiescent(core, slot.ticket) || !settled(core, vcpu)) { return restart; }
    partition.stage2.invalidate(); // a later vCPU in the same place must not meet this one's translations
    for (Vcpu*& last : partition.last_vcpu) {
        if (last == &vcpu) { last = nullptr; }
    }
    slot.stage = stage_return;
    return more;
}

void destroy_endpoint(Core& core, Slot& slot) {
    objects.retire(slot);
    recheck(core);
    finish(slot);
}

void destroy_notification(Slot& slot) {
    objects.retire(slot);
    if (Vcpu* target = slot.notification.target) { __atomic_store_n(&target->notification, &no_signals, __ATOMIC_RELEASE); }
    finish(slot);
}

/// Endpoints and notifications that a partition made go with it; memory that it derived goes by revocation.
void destroy_made_by(Core& core, ObjectRef creator, Slot& other) {
    if (other.dying || other.creator != creator) { return; }
    if (other.type == ObjectType::endpoint) { destroy_endpoint(core, other); }
    if (other.type == ObjectType::notification) { destroy_notification(other); }
}

Status destroy_vcpus(Core& core, Vcpu& self, const Partition& partition) {
    bool off = true;
    Slot* next = nullptr;
    for (const ObjectRef name : partition.leaving) {
        Slot* slot = objects.find_dying(name);
        if (!slot) { continue; }
        next = slot;
        if (slot->stage != stage_return && !settled(core, *slot->vcpu)) { off = false; }
    }
    if (!off) { return restart; } // all of them stop at the same time
    if (!next) { return Status::ok; }
    TRY(destroy_step(core, self, *next));
    return more;
}

Status destroy_partition(Core& core, Vcpu& self, Slot& slot) {
    Partition& partition = *slot.partition;
    if (&partition == self.partition) { return Status::bad_state; }
    if (!slot.dying) {
        objects.retire(slot);
        partition.dying = true;
        for (Vcpu* vcpu : partition.vcpus) {
            if (vcpu) { retire_vcpu(objects.at(vcpu->object_index)); }
        }
    }
    if (slot.stage == stage_unlink) {
        TRY(destroy_vcpus(core, self, partition));
        const uint32_t retired = slot.generation.load(std::memory_order_relaxed);
        const ObjectRef name = ObjectRef::make(objects.index(slot), retired - 1); // before that
        TRY(scan(slot, [&](Slot& other) { destroy_made_by(core, name, other); }));
        slot.stage = stage_release;
        return more;
    }
    if (slot.stage == stage_release) {
        if (partition.interrupts) { release_interrupts(core, partition); }
        slot.stage = stage_settle;
        return more;
    }
    if (!quiescent(core, slot.ticket)) { return restart; }
    partition.stage2.invalidate();
    release_vmid(partition.stage2.vmid());
    slot.stage = stage_return;
    return more;
}

Status destroy_memory(Core& core, Vcpu& self, Slot& slot) {
    if (slot.memory.parent == 0) { return Status::bad_state; }
    if (!slot.dying) { objects.retire(slot); }
    TRY(revoke_step(core, self, slot));
    remove(slot);
    return Status::ok;
}

} // namespace

bool takes_signals(const Vcpu& vcpu) { return vcpu.notification && vcpu.notification != &no_signals; }

Status check_quota(Core& core, const Partition& creator) {
    if (creator.object_quota == 0) { return Status::no_slot; }
    if (objects.can_take()) { return Status::ok; }
    return objects.reclaim(core) ? restart : Status::no_slot;
}

Status publish(Partition& creator, Slot& slot, Capability& destination, uint64_t rights) {
    slot.creator = objects.ref(creator.object_index);
    --creator.object_quota;
    objects.publish(slot);
    fill_slot(destination, objects.ref(slot), rights, 0);
    return Status::ok;
}

void finish(Slot& slot) {
    Slot* creator = objects.find(slot.creator);
    if (creator && slot.creator) { ++creator->partition->object_quota; }
    objects.release(slot);
}

Status destroy_step(Core& core, Vcpu& self, Slot& slot) {
    if (slot.stage == stage_return) { return return_pages(core, self, slot); }
    switch (slot.type) {
    case ObjectType::memory: return destroy_memory(core, self, slot);
    case ObjectType::partition: return destroy_partition(core, self, slot);
    case ObjectType::vcpu: return destroy_vcpu(core, self, slot);
    case ObjectType::endpoint: destroy_endpoint(core, slot); return Status::ok;
    case ObjectType::notification: destroy_notification(slot); return Status::ok;
    default: return Status::bad_state;
    }
}

} // namespace bulkhead
