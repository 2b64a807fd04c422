// SPDX-License-Identifier: MIT
// Hypercalls that make, destroy and bind objects.
#include "cap/destroy.hpp"
#include "vcpu/switching.hpp"

namespace bulkhead::hypercall {

namespace {

namespace right = abi::right;

constexpr unsigned run_time_spis = 224; ///< of a VM made at run time: as many as there can be

/// What create has found out about its arguments, before it changes anything.
struct Making {
    Core& core;
    Vcpu& self;
    const Arguments& arguments;
    Capability* destination;
};

Status publish(const Making& making, Slot& slot) {
    return bulkhead::publish(*making.self.partition, slot, *making.destination, right::all);
}

/// The memory in x1, all of it zeroed and in EL2's hands.
Result<Slot*> donated(const Making& making, uint64_t pages) {
    Slot* slot = TRY(making.self.partition->lookup<Memory>(making.arguments.x[1], right::donate)).slot;
    const Memory& memory = slot->memory;
    if (memory.memory_type != abi::MemoryType::normal || !memory.donatable) { return Status::bad_argument; }
    if (memory.size / page_size < pages) { return Status::no_memory; }
    if (memory.first_child != 0 || memory.revoking) { return Status::bad_state; }
    TRY(run([&] { return donate_step(making.core, making.self, *slot); }));
    return slot;
}

void name_run_time(Partition& partition) {
    const auto digit = [&](unsigned unit) { return static_cast<char>('0' + partition.stage2.vmid() / unit % 10); };
    const char name[] = {'v', 'm', 'i', 'd', '-', digit(100), digit(10), digit(1), '\0'};
    __builtin_memcpy(partition.name, name, sizeof(name));
}

Status create_partition(const Making& making) {
    const uint64_t kind_value = making.arguments.x[3], slots = making.arguments.x[4];
    if (kind_value > static_cast<uint64_t>(abi::PartitionKind::vm)) { return Status::bad_argument; }
    if (slots == 0 || slots > max_slots) { return Status::bad_argument; }
    const Capability& supervisor =
        *TRY(making.self.partition->lookup<Notification>(making.arguments.x[5], right::signal)).capability;
    const uint64_t signal = making.arguments.x[6];
    if (signal >= 64) { return Status::bad_argument; }
    if (supervisor.badge && !(supervisor.badge >> signal & 1)) { return Status::no_right; }
    const auto kind = static_cast<abi::PartitionKind>(kind_value);
    const auto count = static_cast<uint32_t>(slots);
    const uint16_t vmid = free_vmid();
    if (vmid == 0) { return Status::no_slot; }
    constexpr uint64_t least_tables = 1;
    Slot* donor = TRY(donated(making, partition_pages(kind, count) + least_tables));
    reserve_vmid(vmid); // still free: the mutation lock is held
    Slot& slot = *objects.take(ObjectType::partition);
    const uint16_t index = objects.index(slot);
    const Memory& memory = donor->memory;
    slot.partition = &init_partition(memory.base, memory.size / page_size, {index, vmid, kind, count, run_time_spis});
    slot.partition->supervisor = supervisor.object;
    slot.partition->supervisor_signal = static_cast<uint8_t>(signal);
    slot.donor = objects.index(*donor);
    name_run_time(*slot.partition);
    finish_donation(donor->memory, index);
    return publish(making, slot);
}

Status create_vcpu(const Making& making) {
    const uint64_t* x = making.arguments.x;
    Partition& partition = TRY(making.self.partition->lookup<Partition>(x[3], right::create_vcpu)).as<Partition>();
    if (x[4] >= max_vcpus_per_partition || x[5] >= core_count || x[6] >= abi::priorities) { return Status::bad_argument; }
    const bool leaving = objects.find_dying(partition.leaving[x[4]]) != nullptr;
    if (partition.vcpus[x[4]] || leaving) { return Status::no_slot; }
    Slot* donor = TRY(donated(making, 1));
    Slot& slot = *objects.take(ObjectType::vcpu);
    Vcpu& vcpu = *hw::pointer<Vcpu>(donor->memory.base);
    vcpu.object_index = objects.index(slot);
    init_vcpu(vcpu, partition, static_cast<unsigned>(x[4]), static_cast<unsigned>(x[5]), static_cast<unsigned>(x[6]));
    slot.vcpu = &vcpu;
    slot.donor = objects.index(*donor);
    finish_donation(donor->memory, vcpu.object_index);
    return publish(making, slot);
}

Status create_endpoint(const Making& making) {
    const uint64_t max_us = making.arguments.x[3];
    if (max_us >> 32 != 0) { return Status::bad_argument; }
    Slot& slot = *objects.take(ObjectType::endpoint);
    slot.endpoint.max_ticks = max_us * hw::read<hw::Cntfrq>().bits / 1'000'000;
    return publish(making, slot);
}

Status create_notification(const Making& making) {
    Vcpu& vcpu = TRY(making.self.partition->lookup<Vcpu>(making.arguments.x[3], right::control)).as<Vcpu>();
    if (!vcpu.native) { return Status::bad_argument; }
    if (takes_signals(vcpu)) { return Status::bad_state; }
    Slot& slot = *objects.take(ObjectType::notification);
    slot.notification.target = &vcpu;
    __atomic_store_n(&vcpu.notification, &slot.notification, __ATOMIC_RELEASE);
    return publish(making, slot);
}

/// The object that a capability with the right to destroy names, also while it is being destroyed.
Result<Slot*> condemned(const Partition& own, abi::Handle handle) {
    if (handle >= own.slots) { return Status::bad_handle; }
    const Capability& capability = own.table[handle];
    Slot* slot = objects.find(capability.object);
    if (!slot && capability.object) { slot = objects.find_dying(capability.object); }
    if (!slot) { return Status::bad_handle; }
    if (!(capability.rights & right::destroy)) { return Status::no_right; }
    return slot;
}

} // namespace

Status create(Core& core, Vcpu& self, const Arguments& arguments, Target) {
    Capability* destination = TRY(free_slot(core, *self.partition, arguments.x[2]));
    TRY(check_quota(core, *self.partition));
    const Making making{core, self, arguments, destination};
    if (arguments.x[0] > 0xff) { return Status::bad_argument; }
    switch (static_cast<ObjectType>(arguments.x[0])) {
    case ObjectType::partition: return create_partition(making);
    case ObjectType::vcpu: return create_vcpu(making);
    case ObjectType::endpoint: return create_endpoint(making);
    case ObjectType::notification: return create_notification(making);
    default: return Status::bad_argument;
    }
}

Status destroy(Core& core, Vcpu& self, const Arguments& arguments, Target) {
    Slot* slot = TRY(condemned(*self.partition, arguments.x[0]));
    return (run([&] { return destroy_step(core, self, *slot); }));
}

Status bind(Core&, Vcpu& self, const Arguments& arguments, Target target) {
    Vcpu& vcpu = TRY(self.partition->lookup<Vcpu>(arguments.x[1], right::control)).as<Vcpu>();
    if (!vcpu.native) { return Status::bad_argument; }
    Vcpu*& server = target.as<Endpoint>().server[vcpu.core];
    if (server && server != &vcpu) { return Status::bad_state; }
    vcpu.serves = true;
    __atomic_store_n(&server, &vcpu, __ATOMIC_RELEASE);
    Destination::forget_all();
    return Status::ok;
}

Status route(Core&, Vcpu& self, const Arguments& arguments, Target target) {
    auto& vm = target.as<Partition>();
    const Target endpoint = TRY(self.partition->lookup<Endpoint>(arguments.x[2], right::serve));
    const uint64_t trap = arguments.x[1], badge = arguments.x[3];
    if (trap >= static_cast<uint64_t>(abi::Trap::count) || badge >> 32 != 0) { return Status::bad_argument; }
    if (vm.kind != abi::PartitionKind::vm) { return Status::bad_type; }
    vm.traps[trap] = {endpoint.capability->object, static_cast<uint32_t>(badge)};
    Destination::forget_all();
    return Status::ok;
}

} // namespace bulkhead::hypercall
