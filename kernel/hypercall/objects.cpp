// SPDX-License-Identifier: MIT
// Hypercalls that make, destroy and bind objects.
#include "cap/destroy.hpp"
#include "sched/scheduler.hpp"
#include "vcpu/switching.hpp"
#include <iterator>

namespace bulkhead::hypercall {

namespace {

namespace right = abi::right;

constexpr unsigned run_time_spis = 224; ///< of a VM made at run time: as many as there can be

/// Makes what create was called for, complete but not published; arguments are checked before anything changes.
using Maker = Result<Slot*>(Core& core, Vcpu& self, const Arguments& arguments);

/// The memory in x1, all of it zeroed and in EL2's hands.
Result<Slot*> donated(Core& core, Vcpu& self, const Arguments& arguments, uint64_t pages) {
    Slot* slot = TRY(self.partition->lookup<Memory>(arguments.x[1], right::donate)).slot;
    const Memory& memory = slot->memory;
    if (memory.memory_type != abi::MemoryType::normal || !memory.donatable) { return Status::bad_argument; }
    if (memory.size / page_size < pages) { return Status::no_memory; }
    if (memory.first_child != 0 || memory.revoking) { return Status::bad_state; }
    TRY(run([&] { return donate_step(core, self, *slot); }));
    return slot;
}

void name_run_time(Partition& partition) {
    const auto digit = [&](unsigned unit) { return static_cast<char>('0' + partition.stage2.vmid() / unit % 10); };
    const char name[] = {'v', 'm', 'i', 'd', '-', digit(100), digit(10), digit(1), '\0'};
    __builtin_memcpy(partition.name, name, sizeof(name));
}

Result<Slot*> make_partition(Core& core, Vcpu& self, const Arguments& arguments) {
    const uint64_t kind_value = arguments.x[3], slots = arguments.x[4];
    if (kind_value > static_cast<uint64_t>(abi::PartitionKind::vm)) { return Status::bad_argument; }
    if (slots == 0 || slots > max_slots) { return Status::bad_argument; }
    const Capability& supervisor = *TRY(self.partition->lookup<Notification>(arguments.x[5], right::signal)).capability;
    const uint64_t signal = arguments.x[6];
    if (signal >= 64) { return Status::bad_argument; }
    if (supervisor.badge && !(supervisor.badge >> signal & 1)) { return Status::no_right; }
    const auto kind = static_cast<abi::PartitionKind>(kind_value);
    const auto count = static_cast<uint32_t>(slots);
    const uint16_t vmid = free_vmid();
    if (vmid == 0) { return Status::no_slot; }
    constexpr uint64_t least_tables = 1;
    Slot* donor = TRY(donated(core, self, arguments, partition_pages(kind, count) + least_tables));
    reserve_vmid(vmid); // still free: the mutation lock is held
    Slot& slot = *objects.take(ObjectType::partition);
    const Memory& memory = donor->memory;
    slot.partition = &init_partition(memory.base, memory.size / page_size, {objects.index(slot), vmid, kind, count, run_time_spis});
    slot.partition->supervisor = supervisor.object;
    slot.partition->supervisor_signal = static_cast<uint8_t>(signal);
    name_run_time(*slot.partition);
    finish_donation(*donor, slot);
    return &slot;
}

Result<Slot*> make_vcpu(Core& core, Vcpu& self, const Arguments& arguments) {
    const uint64_t* x = arguments.x;
    Partition& partition = TRY(self.partition->lookup<Partition>(x[3], right::create_vcpu)).as<Partition>();
    if (x[4] >= max_vcpus_per_partition || x[5] >= core_count || x[6] >= abi::priorities) { return Status::bad_argument; }
    if (partition.vcpus[x[4]]) { return Status::no_slot; }
    Slot* donor = TRY(donated(core, self, arguments, 1));
    Slot& slot = *objects.take(ObjectType::vcpu);
    Vcpu& vcpu = *hw::pointer<Vcpu>(donor->memory.base);
    vcpu.object_index = objects.index(slot);
    init_vcpu(vcpu, partition, static_cast<unsigned>(x[4]), static_cast<unsigned>(x[5]), static_cast<unsigned>(x[6]));
    slot.vcpu = &vcpu;
    finish_donation(*donor, slot);
    return &slot;
}

Result<Slot*> make_endpoint(Core&, Vcpu&, const Arguments& arguments) {
    const uint64_t max_us = arguments.x[3];
    if (max_us >> 32 != 0) { return Status::bad_argument; }
    Slot& slot = *objects.take(ObjectType::endpoint);
    slot.endpoint.max_ticks = ticks_from_us(max_us);
    return &slot;
}

Result<Slot*> make_notification(Core&, Vcpu& self, const Arguments& arguments) {
    Vcpu& vcpu = TRY(self.partition->lookup<Vcpu>(arguments.x[3], right::control)).as<Vcpu>();
    if (!vcpu.native) { return Status::bad_argument; }
    if (takes_signals(vcpu)) { return Status::bad_state; }
    Slot& slot = *objects.take(ObjectType::notification);
    slot.notification.target = &vcpu;
    __atomic_store_n(&vcpu.notification, &slot.notification, __ATOMIC_RELEASE);
    return &slot;
}

/// By abi::ObjectType.
constexpr Maker* makers[] = {nullptr, nullptr, make_partition, make_vcpu, make_endpoint, make_notification};

/// The object that a capability with the right to destroy names, also while it is being destroyed.
Result<Slot*> condemned(const Partition& own, abi::Handle handle) {
    if (handle >= own.slots) { return Status::bad_handle; }
    const Capability& capability = own.table[handle];
    Slot* slot = objects.find(capability.object);
    if (!slot) { slot = objects.find_dying(capability.object); }
    if (!slot) { return Status::bad_handle; }
    if (!(capability.rights & right::destroy)) { return Status::no_right; }
    return slot;
}

} // namespace

Status create(Core& core, Vcpu& self, const Arguments& arguments, Target) {
    Capability* destination = TRY(free_slot(core, *self.partition, arguments.x[2]));
    TRY(check_quota(core, *self.partition));
    if (arguments.x[0] >= std::size(makers) || !makers[arguments.x[0]]) { return Status::bad_argument; }
    Slot* slot = TRY(makers[arguments.x[0]](core, self, arguments));
    return publish(*self.partition, *slot, *destination, right::all);
}

Status destroy(Core& core, Vcpu& self, const Arguments& arguments, Target) {
    Slot* slot = TRY(condemned(*self.partition, arguments.x[0]));
    return run([&] { return destroy_step(core, self, *slot); });
}

Status bind(Core&, Vcpu& self, const Arguments& arguments, Target target) {
    Vcpu& vcpu = TRY(self.partition->lookup<Vcpu>(arguments.x[1], right::control)).as<Vcpu>();
    if (!vcpu.native) { return Status::bad_argument; }
    if (vcpu.requests.load(std::memory_order_acquire) != 0) { return restart; } // it may be about to leave this core
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
