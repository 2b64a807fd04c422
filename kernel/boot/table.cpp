// SPDX-License-Identifier: MIT
// The boot table: checked, then instantiated in one pass, record by record.
#include "boot/table.hpp"
#include "abi/checksum.hpp"
#include "boot/machine.hpp"
#include "cap/memory.hpp"
#include "irq/physical.hpp"
#include "mm/el2_map.hpp"
#include "sched/scheduler.hpp"
#include "vcpu/switching.hpp"
#include <new>
#include <span>

namespace bulkhead::boot_table {

using abi::BootHeader;
using abi::BootRecord;
using abi::RecordType;

namespace {

std::span<BootRecord> records(BootHeader& header) { return {reinterpret_cast<BootRecord*>(&header + 1), header.record_count}; }
abi::MemoryType type_of(const abi::BootMemory& record) { return static_cast<abi::MemoryType>(record.head.flags & 0xff); }
bool donatable(const abi::BootMemory& record) { return record.head.flags >> 8 & 1; }

uint32_t crc32(const void* data, uint64_t size, uint32_t before = 0) {
    return abi::crc32<hw::crc32_step>(data, size, hw::has_crc32(), before);
}

bool holds(uint64_t index, ObjectType type) {
    return index != 0 && index < objects.count() && objects.at(static_cast<uint16_t>(index)).type == type;
}

Slot& slot_of(uint64_t index, ObjectType type) {
    if (!holds(index, type)) { refuse("\"a record names an object of another type\"", "object", index); }
    return objects.at(static_cast<uint16_t>(index));
}

Partition& partition_of(uint64_t index) { return *slot_of(index, ObjectType::partition).partition; }
ObjectRef name_of(uint64_t index, ObjectType type) { return objects.ref(slot_of(index, type)); }

Slot& create(uint16_t index, ObjectType type) {
    if (!holds(index, ObjectType::none)) { refuse("\"an object is created twice\"", "object", index); }
    Slot& slot = objects.take_at(index, type);
    objects.publish(slot);
    return slot;
}

PhysAddr pages_of_pool(uint64_t pages) {
    auto taken = core_pool.take(pages);
    if (!taken.ok()) { refuse("\"the core's pool is too small\"", "pages", pages); }
    return taken.value();
}

void make(Core&, const abi::BootMemory& record) {
    Slot& slot = create(record.head.object, ObjectType::memory);
    Memory& memory = slot.memory;
    memory.base = {record.base};
    memory.size = record.size;
    memory.memory_type = type_of(record);
    memory.donatable = donatable(record);
    if (record.parent) { adopt(slot_of(record.parent, ObjectType::memory), slot); }
}

void make(Core&, const abi::BootPartition& record) {
    PartitionPlan plan{record.head.object, static_cast<uint16_t>(record.vmid),
                       static_cast<abi::PartitionKind>(record.head.flags & 0xff), record.slots,
                       static_cast<unsigned>(record.spi_count)};
    bool spis = plan.spis % 32 == 0 && plan.spis <= VirtualInterrupts::max_spis;
    bool known = spis && plan.kind <= abi::PartitionKind::vm && plan.slots > 0 && plan.slots <= max_slots;
    if (!known) { refuse("\"no such kind or size of partition\"", "object", plan.object_index); }
    if (!reserve_vmid(record.vmid)) { refuse("\"a VMID is used twice\"", "vmid", record.vmid); }
    uint64_t pages = partition_pages(plan.kind, plan.slots) + record.table_pages;
    Partition& partition = init_partition(pages_of_pool(pages), pages, plan);
    create(record.head.object, ObjectType::partition).partition = &partition;
    __builtin_memcpy(partition.name, record.name, sizeof(partition.name) - 1);
    partition.object_quota = record.object_quota;
    partition.may_control_machine = record.head.flags >> 8 & 1;
    partition.confined = record.head.flags >> 9 & 1;
    partition.supervisor_signal = static_cast<uint8_t>(record.supervisor_signal);
}

void make(Core&, const abi::BootVcpu& record) {
    bool known = record.index < max_vcpus_per_partition && record.core < core_count && record.priority < abi::priorities;
    if (!known) { refuse("\"a vCPU's index, core or priority is out of range\"", "object", record.head.object); }
    Vcpu& vcpu = *new (hw::pointer<void>(pages_of_pool(1))) Vcpu{};
    create(record.head.object, ObjectType::vcpu).vcpu = &vcpu;
    cores[record.core]->open_pmu |= record.head.flags & 1;
    init_vcpu(vcpu, partition_of(record.partition), record.index, record.core, record.priority);
    vcpu.object_index = record.head.object;
    vcpu.budget_ticks = ticks_from_us(record.budget_us);
    vcpu.period_ticks = ticks_from_us(record.period_us);
    if (vcpu.native) { return; }
    vcpu.controls.vmpidr = record.mpidr | 1ull << 31;
    vcpu.own_pmu = record.head.flags & 2 && hw::has_pmu();
    if (record.head.flags & 4 && hw::has_pauth() && hw::has_ras()) { vcpu.controls.hcr |= HcrEl2::pauth.mask; }
    vcpu.leaves_slowly = vcpu.own_pmu;
}

void make(Core&, const abi::BootEndpoint& record) {
    create(record.head.object, ObjectType::endpoint).endpoint.max_ticks = ticks_from_us(record.max_us);
}

void make(Core&, const abi::BootNotification& record) {
    Notification& notification = create(record.head.object, ObjectType::notification).notification;
    notification.target = slot_of(record.vcpu, ObjectType::vcpu).vcpu;
    notification.target->notification = &notification;
}

void make(Core&, const abi::BootInterrupt& record) {
    Slot& slot = create(record.head.object, ObjectType::interrupt);
    Interrupt& interrupt = slot.interrupt;
    interrupt.intid = record.intid;
    interrupt.core = static_cast<uint8_t>(record.core);
    interrupt.edge = record.head.flags & 1;
    if (!own_line(slot)) { refuse("\"no such physical interrupt\"", "intid", record.intid); }
}

void make(Core&, const abi::BootMap& record) {
    Memory& memory = slot_of(record.head.object, ObjectType::memory).memory;
    Partition& partition = partition_of(record.partition);
    const Mapping mapping{name_of(record.partition, ObjectType::partition), {record.ipa}, record.head.flags};
    while (fill_step(memory, partition, mapping) == more) {
        if (memory.state != Memory::State::mapped) { refuse("\"a mapping does not fit\"", partition.name, record.ipa); }
    }
}

void make(Core&, const abi::BootDevice& record) {
    Partition& partition = partition_of(record.head.object);
    DevicePage page = DevicePage::make(name_of(record.endpoint, ObjectType::endpoint), record.badge);
    for (uint64_t done = 0; done < record.pages;) {
        auto step = partition.stage2.set_device(GuestAddr{record.ipa} + done * page_size, record.pages - done, page);
        if (!step.ok()) { refuse("\"a device page does not fit\"", partition.name, record.ipa); }
        done += step.value();
    }
}

void make(Core&, const abi::BootTrap& record) {
    if (record.head.flags >= static_cast<uint32_t>(abi::Trap::count)) { refuse("\"unknown trap\"", "trap", record.head.flags); }
    partition_of(record.head.object).traps[record.head.flags] = {name_of(record.endpoint, ObjectType::endpoint), record.badge};
}

void make(Core&, const abi::BootServer& record) {
    Vcpu* vcpu = slot_of(record.vcpu, ObjectType::vcpu).vcpu;
    slot_of(record.head.object, ObjectType::endpoint).endpoint.server[vcpu->core] = vcpu;
    vcpu->serves = true;
}

void make(Core&, const abi::BootCapability& record) {
    Partition& partition = partition_of(record.partition);
    if (record.slot == 0 || record.slot >= partition.slots || record.head.object >= objects.count()) {
        refuse("\"a capability's slot or object is out of range\"", partition.name, record.slot);
    }
    fill_slot(partition.table[record.slot], objects.ref(record.head.object), record.head.flags, record.badge);
}

void make(Core& core, const abi::BootBind& record) {
    Interrupt& interrupt = slot_of(record.head.object, ObjectType::interrupt).interrupt;
    bool to_vm = record.head.flags & 1;
    ObjectRef target = name_of(record.target, to_vm ? ObjectType::partition : ObjectType::notification);
    if (!to_vm) {
        bind_to_notification(core, interrupt, target, record.signal);
    } else if (bind_to_vm(core, interrupt, target, record.signal) != Status::ok) {
        refuse("\"a VM has no such interrupt\"", "intid", record.signal);
    }
}

void make(Core&, const abi::BootStart& record) {
    Vcpu& vcpu = *slot_of(record.head.object, ObjectType::vcpu).vcpu;
    reset_vcpu(vcpu, record.entry, record.x0, record.x1, record.stack);
    vcpu.state = VcpuState::ready;
    make_ready(*cores[vcpu.core], vcpu);
}

void one(Core& core, const BootRecord& record) {
    switch (record.head.type) {
    case RecordType::memory: return make(core, record.memory);
    case RecordType::partition: return make(core, record.partition);
    case RecordType::vcpu: return make(core, record.vcpu);
    case RecordType::endpoint: return make(core, record.endpoint);
    case RecordType::notification: return make(core, record.notification);
    case RecordType::interrupt: return make(core, record.interrupt);
    case RecordType::map: return make(core, record.map);
    case RecordType::device: return make(core, record.device);
    case RecordType::trap: return make(core, record.trap);
    case RecordType::server: return make(core, record.server);
    case RecordType::capability: return make(core, record.capability);
    case RecordType::bind: return make(core, record.bind);
    case RecordType::start: return make(core, record.start);
    case RecordType::payload: return; // its checksum was checked
    }
    refuse("\"unknown record\"", "type", static_cast<uint64_t>(record.head.type));
}

} // namespace

void check(BootHeader& header) {
    if (header.magic != abi::boot_magic) { refuse("\"no boot table behind the core\"", "magic", header.magic); }
    if (header.version != abi::boot_version) { refuse("\"boot table of another version\"", "version", header.version); }
    bool sized = header.size == sizeof(header) + records(header).size_bytes();
    if (!sized) { refuse("\"the boot table is damaged\"", "size", header.size); }
    BootHeader without_crc = header;
    without_crc.crc32 = 0;
    uint32_t crc = crc32(&header + 1, records(header).size_bytes(), crc32(&without_crc, sizeof(header)));
    if (crc != header.crc32) { refuse("\"the boot table is damaged\"", "crc32", crc); }
    if (header.objects - 1 >= abi::max_objects) { refuse("\"too many objects, or none\"", "objects", header.objects); }
    if (header.cores - 1 >= abi::max_cores) { refuse("\"too many cores, or none\"", "cores", header.cores); }
    for (const BootRecord& record : records(header)) {
        if (record.head.type != RecordType::payload) { continue; }
        const abi::BootPayload& payload = record.payload;
        uint32_t sum = crc32(hw::pointer<uint8_t>({payload.base}), payload.size);
        if (sum != payload.crc32) { refuse("\"a payload is damaged\"", payload.name, sum); }
    }
}

void prepare(BootHeader& header, uint64_t device_tree) {
    for (BootRecord& record : records(header)) {
        if (record.head.type != RecordType::memory) { continue; }
        abi::BootMemory& memory = record.memory;
        if (!memory.base) {
            memory.base = device_tree & ~page_mask;
            bool apart = memory.base + memory.size <= abi::image_address || memory.base >= header.pool_base + header.pool_size;
            if (!device_tree || !apart) { refuse("\"no device tree of the machine, or one in the image\"", "x0", device_tree); }
        }
        if (type_of(memory) == abi::MemoryType::normal) { hw::load32(PhysAddr{memory.base} + (memory.size - sizeof(uint32_t))); }
        if (donatable(memory)) { el2_map::prepare({memory.base}, memory.size); }
    }
}

void instantiate(Core& core, BootHeader& header) {
    uint64_t pages = (header.objects * sizeof(Slot) + page_mask) / page_size;
    objects.init(hw::pointer<Slot>(pages_of_pool(pages)), header.objects);
    for (const BootRecord& record : records(header)) { one(core, record); }
    for (const BootRecord& record : records(header)) { // partitions come before the notifications that they name
        if (record.head.type != RecordType::partition || record.partition.supervisor == 0) { continue; }
        partition_of(record.head.object).supervisor = name_of(record.partition.supervisor, ObjectType::notification);
    }
}

} // namespace bulkhead::boot_table
