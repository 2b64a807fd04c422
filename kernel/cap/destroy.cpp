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
constexpr uint8_t stage_unlink = 0, stage_settle = 1, stage_return = 2;

Notification no_signals{}; ///< what a vCPU whose notification is gone takes its signals from

/// Calls `visit` for every slot, a bounded number at a time, again for one that it is not done with; slot.cursor says how far.
template <class Visit> Status scan(Slot& slot, Visit visit) {
    const uint64_t end = std::min<uint64_t>(slot.cursor + scan_slots, objects.count());
    for (; slot.cursor < end; ++slot.cursor) { TRY(visit(objects.at(static_cast<uint16_t>(slot.cursor)))); }
    return slot.cursor < objects.count() ? more : Status::ok;
}

/// The last stage: pages go back to the memory object they are of, and with the last one the slot
/// is free.
Status return_pages(Core& core, Vcpu& self, Slot& slot) {
    if (slot.donor == 0) { // the boot's: its pages stay with the core
        finish(slot);
        return Status::ok;
    }
    Slot& donor = objects.at(slot.donor);
    donor.memory.state = Memory::State::returning;
    return free_step(core, self, donor);
}

Status destroy_vcpu(Core& core, Vcpu& self, Slot& slot) {
    Vcpu& vcpu = *slot.vcpu;
    if (&vcpu == &self) { return Status::bad_state; }
    objects.retire(slot);
    Partition& partition = *vcpu.partition;
    if (slot.stage == stage_unlink) {
        if (!stopped(core, vcpu)) { return restart; }
        TRY(scan(slot, [&](Slot& other) {
            if (other.type != ObjectType::endpoint) { return Status::ok; }
            Vcpu*& server = other.endpoint.server[vcpu.core];
            if (server == &vcpu) { __atomic_store_n(&server, nullptr, __ATOMIC_RELEASE); }
            return Status::ok;
        }));
        if (vcpu.notification) { __atomic_store_n(&vcpu.notification->target, nullptr, __ATOMIC_RELEASE); }
        recheck(core); // who waits for it as a server
        partition.vcpus[vcpu.index] = nullptr;
        slot.stage = stage_settle;
        return more;
    }
    // Nobody asks it for anything after the first, and what was asked before is done after the second.
    if (!quiescent(core, slot.ticket) || !stopped(core, vcpu)) { return restart; }
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

/// With a partition go its vCPUs, and the endpoints and notifications that it made; memory that it derived goes by revocation.
Status destroy_along(Core& core, Vcpu& self, const Slot& slot, Slot& other) {
    const uint32_t retired = slot.generation.load(std::memory_order_relaxed);
    const bool made = other.creator == ObjectRef::make(objects.index(slot), retired - 1); // its name before that
    const bool passive = other.type == ObjectType::endpoint || other.type == ObjectType::notification;
    const bool returning = other.stage == stage_return; // nothing of it may be looked at, whosever it was
    const bool own = other.type == ObjectType::vcpu && other.dying && (returning || other.vcpu->partition == slot.partition);
    return own || (made && passive && !other.dying) ? destroy_step(core, self, other) : Status::ok;
}

Status destroy_partition(Core& core, Vcpu& self, Slot& slot) {
    Partition& partition = *slot.partition;
    if (&partition == self.partition) { return Status::bad_state; }
    if (!slot.dying) {
        objects.retire(slot);
        for (Vcpu* vcpu : partition.vcpus) {
            if (!vcpu) { continue; }
            objects.retire(objects.at(vcpu->object_index));
            ask(core, *vcpu, request::stop); // all of them stop at the same time
        }
    }
    if (slot.stage == stage_unlink) {
        TRY(scan(slot, [&](Slot& other) { return destroy_along(core, self, slot, other); }));
        slot.stage = stage_settle;
        return more;
    }
    if (!quiescent(core, slot.ticket)) { return restart; }
    if (partition.interrupts) { release_interrupts(core, partition); } // nobody raises one any more
    partition.stage2.invalidate();
    release_vmid(partition.stage2.vmid());
    slot.stage = stage_return;
    return more;
}

Status destroy_memory(Core& core, Vcpu& self, Slot& slot) {
    if (slot.memory.parent == 0) { return Status::bad_state; }
    objects.retire(slot);
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
    if (Slot* creator = objects.find(slot.creator)) { ++creator->partition->object_quota; }
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
