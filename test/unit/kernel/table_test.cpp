// SPDX-License-Identifier: MIT
// The boot table: what is checked before anything runs, one refusal per rule, and what is made of a good one.
#include "boot/machine.hpp"
#include "boot/table.hpp"
#include "machine.hpp"
#include "mm/el2_map.hpp"
#include <cstring>

namespace bulkhead::test {

namespace {

using namespace abi;

constexpr uint64_t ram = 0x4080'0000, table_at = 0x4040'0000, payload_at = 0x4050'0000, payload_size = 1'008, pool_at = 0x4060'0000;
constexpr uint64_t device_ipa = 0x0900'0000, ram_ipa = 0x8000'0000;
constexpr uint32_t spi = 40;

uint32_t crc_of(const uint8_t* data, uint64_t size) { // by the definition: the remainder of the reflected polynomial
    uint32_t crc = ~0u;
    for (uint64_t bit = 0; bit < 8 * size; ++bit) {
        const uint32_t in = data[bit / 8] >> bit % 8 & 1;
        crc = (crc ^ in) & 1 ? crc >> 1 ^ 0xedb8'8320 : crc >> 1;
    }
    return ~crc;
}

/// A table in memory, as the packer writes one: a service, a guest of two vCPUs that it serves, memory, a physical interrupt.
struct Table : Machine {
    BootHeader& header = *new (hw::pointer<BootHeader>({table_at})) BootHeader{};
    enum Name : uint16_t { none, memory, part, service, guest, server, guest_0, guest_1, door, bell, line, unmade };

    Table() : Machine(2) {
        hw::crc32_instructions = GENERATE(false, true);
        for (unsigned vmid = 1; vmid < 256; ++vmid) { release_vmid(static_cast<uint16_t>(vmid)); }
        core_pool.init({pool_at}, (1 << 20) / page_size);
        std::memset(reinterpret_cast<void*>(el2_map::root()), 0, page_size); // none of another test's tables
        header.magic = boot_magic;
        header.version = boot_version;
        header.cores = 2;
        header.objects = 64;
        BootRecord& whole = add(RecordType::memory, memory, 1 << 8);
        whole.memory.base = ram, whole.memory.size = 4 * page_size;
        BootRecord& derived = add(RecordType::memory, part);
        derived.memory.base = ram + page_size, derived.memory.size = page_size, derived.memory.parent = memory;
        partition(service, PartitionKind::native, "service", 1).partition.head.flags |= 1 << 8;
        partition(guest, PartitionKind::vm, "guest", 2);
        vcpu(server, service, 0, 0, 20);
        vcpu(guest_0, guest, 0, 0, 10);
        BootRecord& second = vcpu(guest_1, guest, 1, 1, 10);
        second.vcpu.budget_us = 1'000, second.vcpu.period_us = 10'000, second.vcpu.mpidr = 0x101;
        add(RecordType::endpoint, door).endpoint.max_us = 300;
        add(RecordType::notification, bell).notification.vcpu = server;
        BootRecord& physical = add(RecordType::interrupt, line, 1);
        physical.interrupt.intid = spi, physical.interrupt.core = 1;
        BootRecord& map = add(RecordType::map, part, right::read | right::write);
        map.map.partition = guest, map.map.ipa = ram_ipa;
        BootRecord& page = add(RecordType::device, guest);
        page.device.endpoint = door, page.device.badge = 5, page.device.ipa = device_ipa, page.device.pages = 2;
        BootRecord& trap = add(RecordType::trap, guest, static_cast<uint32_t>(abi::Trap::smccc));
        trap.trap.endpoint = door, trap.trap.badge = 6;
        add(RecordType::server, door).server.vcpu = server;
        BootRecord& capability = add(RecordType::capability, bell, right::signal);
        capability.capability.partition = service, capability.capability.slot = 7, capability.capability.badge = 0x30;
        BootRecord& payload = add(RecordType::payload, 0);
        payload.payload.base = payload_at, payload.payload.size = payload_size;
        std::strcpy(payload.payload.name, "guest.kernel");
        for (unsigned n = 0; n < payload_size; ++n) { bytes()[n] = static_cast<uint8_t>(n * n); }
        payload.payload.crc32 = crc_of(bytes(), payload_size);
        add(RecordType::bind, line).bind = {{RecordType::bind, line, 0}, bell, 4, {}};
        start_record(server, 0x1000);
        start_record(guest_0, ram_ipa);
    }

    BootRecord* record(uint32_t n) { return reinterpret_cast<BootRecord*>(&header + 1) + n; }
    BootRecord& add(RecordType type, uint16_t object, uint32_t flags = 0) {
        BootRecord& made = *record(header.record_count++);
        std::memset(&made, 0, sizeof(made));
        made.head = {type, object, flags};
        return made;
    }
    BootRecord& partition(uint16_t object, PartitionKind kind, const char* name, uint32_t vmid) {
        BootRecord& made = add(RecordType::partition, object, static_cast<uint32_t>(kind));
        std::strcpy(made.partition.name, name);
        made.partition.vmid = vmid, made.partition.slots = 16, made.partition.table_pages = 8;
        made.partition.object_quota = 3, made.partition.supervisor = bell, made.partition.supervisor_signal = 9;
        made.partition.spi_count = kind == PartitionKind::vm ? 64 : 0;
        return made;
    }
    BootRecord& vcpu(uint16_t object, uint16_t of, uint16_t index, uint16_t core, uint16_t priority) {
        BootRecord& made = add(RecordType::vcpu, object);
        made.vcpu.partition = of, made.vcpu.index = index, made.vcpu.core = core, made.vcpu.priority = priority;
        return made;
    }
    void start_record(uint16_t object, uint64_t entry) {
        BootRecord& made = add(RecordType::start, object);
        made.start.entry = entry, made.start.x0 = 11, made.start.x1 = 12, made.start.stack = 0x7000;
    }
    BootRecord& first(RecordType type) {
        for (uint32_t n = 0;; ++n) {
            REQUIRE(n < header.record_count);
            if (record(n)->head.type == type) { return *record(n); }
        }
    }
    uint8_t* bytes() { return hw::pointer<uint8_t>({payload_at}); }
    void seal() {
        header.size = static_cast<uint32_t>(sizeof(header) + header.record_count * sizeof(BootRecord));
        header.crc32 = 0;
        header.crc32 = crc_of(reinterpret_cast<uint8_t*>(&header), header.size);
    }
    void boot(uint64_t device_tree = 0) {
        boot_table::check(header);
        el2_map::add({pool_at}, 1 << 20, el2_map::Permission::data);
        boot_table::prepare(header, device_tree);
        boot_table::instantiate(core(), header);
    }
    /// What the core says when it does not boot.
    std::string refusal(uint64_t device_tree = 0) {
        hw::log.clear();
        try {
            boot(device_tree);
        } catch (const hw::PoweredOff&) { return printed(); }
        return "booted";
    }
    Slot& slot(Name name) { return objects.at(name); }
};

using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;

} // namespace

TEST_CASE("a good table becomes objects, mappings, capabilities, and vCPUs that run", "[boot]") {
    Table m;
    m.seal();
    m.boot();
    Partition &service = *m.slot(Table::service).partition, &guest = *m.slot(Table::guest).partition;
    Vcpu &server = *m.slot(Table::server).vcpu, &first = *m.slot(Table::guest_0).vcpu, &second = *m.slot(Table::guest_1).vcpu;
    CHECK(service.may_control_machine);
    CHECK_FALSE(guest.may_control_machine);
    CHECK(std::string(guest.name) == "guest");
    CHECK(guest.stage2.vmid() == 2);
    CHECK(guest.supervisor == objects.ref(Table::bell));
    CHECK(guest.supervisor_signal == 9);
    CHECK(guest.object_quota == 3);
    CHECK(guest.interrupts->spis == 64);
    CHECK(guest.vcpus[1] == &second);
    CHECK(second.core == 1);
    CHECK(second.budget_ticks == 1'000);
    CHECK(second.period_ticks == 10'000);
    CHECK(second.controls.vmpidr == (1ull << 31 | 0x101));
    CHECK(second.state == VcpuState::off);
    CHECK(m.slot(Table::door).endpoint.max_ticks == 300);
    CHECK(m.slot(Table::door).endpoint.server[0] == &server);
    CHECK(server.serves);
    CHECK(server.notification == &m.slot(Table::bell).notification);
    CHECK(service.table[7].object == objects.ref(Table::bell));
    CHECK(service.table[7].rights == right::signal);
    CHECK(service.table[7].badge == 0x30);
    CHECK(m.slot(Table::line).interrupt.notification == objects.ref(Table::bell));
    CHECK(m.slot(Table::line).interrupt.signal == 4);
    CHECK(hw::device[0x0800'6000 + 8 * spi] == 1); // GICD_IROUTER: to core 1
    const Memory &whole = m.slot(Table::memory).memory, &part = m.slot(Table::part).memory;
    CHECK(part.parent == Table::memory);
    CHECK(whole.first_child == Table::part);
    CHECK(part.donatable); // as its parent
    CHECK(part.state == Memory::State::mapped);
    CHECK(part.mapped_in == objects.ref(Table::guest));
    CHECK((guest.stage2.descriptor({ram_ipa}) & 0xffff'ffff'f000) == ram + page_size);
    CHECK(DevicePage{guest.stage2.descriptor({device_ipa + page_size})}.badge() == 5);
    CHECK(guest.traps[static_cast<unsigned>(abi::Trap::smccc)].badge == 6);
    REQUIRE(m.go() == &server);
    CHECK(m.pc() == 0x1000);
    CHECK(m.x(0) == 11);
    CHECK(m.x(1) == 12);
    CHECK(hw::in_hardware().sp_el0 == 0x7000);
    REQUIRE(m.reply() == &first);
    CHECK(m.pc() == ram_ipa);
    CHECK(m.load(device_ipa) == &server);
}

TEST_CASE("the machine's device tree is given away only where the image is not", "[boot]") {
    constexpr uint64_t size = 16 * page_size;
    const std::string no_tree = "what=\"no device tree of the machine, or one in the image\" name=x0 value=0x";
    Table m;
    BootRecord& record = m.first(RecordType::memory);
    record.memory.base = 0, record.memory.size = size, record.head.flags = 0;
    m.header.pool_base = abi::image_address + 0x40'0000, m.header.pool_size = 1 << 20;
    m.seal();
    const uint64_t pool_end = m.header.pool_base + m.header.pool_size;
    const uint64_t bad =
        GENERATE_COPY(uint64_t{0}, abi::image_address, abi::image_address - size + page_size, pool_end - page_size);
    CHECK_THAT(m.refusal(bad), Contains(no_tree));
}

TEST_CASE("a damaged table, header or payload is not used", "[boot]") {
    Table m;
    m.seal();
    SECTION("another magic") {
        m.header.magic ^= 1;
        CHECK_THAT(m.refusal(), Contains("what=\"no boot table behind the core\" name=magic value=0x31544f4f424b4c43"));
    }
    SECTION("another version") {
        m.header.version = 7;
        CHECK_THAT(m.refusal(), Contains("what=\"boot table of another version\" name=version value=0x7"));
    }
    SECTION("a size that is smaller than its header") {
        m.header.size = GENERATE(0u, 1u, 20u);
        CHECK_THAT(m.refusal(), Contains("what=\"the boot table is damaged\" name=size"));
    }
    SECTION("a size that is not its records'") {
        m.header.size += GENERATE(1u, 64u, 0xffff'0000u);
        CHECK_THAT(m.refusal(), Contains("what=\"the boot table is damaged\" name=size"));
    }
    SECTION("more records than there are") {
        m.header.record_count = GENERATE(0u, 1u, 0xffff'ffffu);
        CHECK_THAT(m.refusal(), Contains("what=\"the boot table is damaged\" name=size"));
    }
    SECTION("any byte") {
        const uint64_t at = GENERATE(range<uint64_t>(24, sizeof(BootHeader) + 19 * sizeof(BootRecord), 37)); // behind the counts
        reinterpret_cast<uint8_t*>(&m.header)[at] ^= 0x10;
        CHECK_THAT(m.refusal(), Contains("what=\"the boot table is damaged\" name=crc32"));
    }
    SECTION("the checksum itself") {
        m.header.crc32 ^= 0x8000'0000;
        CHECK_THAT(m.refusal(), Contains("what=\"the boot table is damaged\" name=crc32"));
    }
    SECTION("any byte of a payload") {
        m.bytes()[GENERATE(0u, 1u, 7u, 8u, 500u, payload_size - 1)] ^= 1;
        CHECK_THAT(m.refusal(), Contains("what=\"a payload is damaged\" name=guest.kernel value=0x"));
    }
    SECTION("but not the byte behind it") {
        m.bytes()[payload_size] ^= 1;
        CHECK(m.refusal() == "booted");
    }
}

TEST_CASE("a table that asks for what cannot be is refused, and says what", "[boot]") {
    Table m;
    const char* said = nullptr;
    SECTION("no objects") { m.header.objects = 0, said = "what=\"too many objects, or none\" name=objects value=0x0"; }
    SECTION("more objects than names") {
        m.header.objects = 0x8001, said = "what=\"too many objects, or none\" name=objects value=0x8001";
    }
    SECTION("no core") { m.header.cores = 0, said = "what=\"too many cores, or none\" name=cores value=0x0"; }
    SECTION("too many cores") { m.header.cores = 9, said = "what=\"too many cores, or none\" name=cores value=0x9"; }
    SECTION("an unknown record") { m.add(static_cast<RecordType>(99), 0), said = "what=\"unknown record\" name=type value=0x63"; }
    SECTION("an object that is made twice") {
        m.add(RecordType::endpoint, Table::bell), said = "what=\"an object is created twice\" name=object value=0x9";
    }
    SECTION("object 0") { m.add(RecordType::endpoint, 0), said = "what=\"an object is created twice\" name=object value=0x0"; }
    SECTION("an object beyond the table") {
        m.add(RecordType::endpoint, 64), said = "what=\"an object is created twice\" name=object value=0x40";
    }
    SECTION("a VMID of two") {
        m.partition(Table::unmade, PartitionKind::vm, "x", 2), said = "what=\"a VMID is used twice\" name=vmid value=0x2";
    }
    SECTION("a VMID that there is not") {
        m.partition(Table::unmade, PartitionKind::vm, "x", 256), said = "what=\"a VMID is used twice\" name=vmid value=0x100";
    }
    SECTION("a partition without slots, or with too many") {
        m.partition(Table::unmade, PartitionKind::vm, "x", 3).partition.slots = GENERATE(0u, 1025u);
        said = "what=\"no such kind or size of partition\" name=object value=0xb";
    }
    SECTION("a partition with odd interrupts, or too many") {
        m.partition(Table::unmade, PartitionKind::vm, "x", 3).partition.spi_count = GENERATE(33u, 256u);
        said = "what=\"no such kind or size of partition\" name=object value=0xb";
    }
    SECTION("a partition of no kind") {
        m.partition(Table::unmade, static_cast<PartitionKind>(2), "x", 3);
        said = "what=\"no such kind or size of partition\" name=object value=0xb";
    }
    SECTION("a pool that is used up") {
        m.partition(Table::unmade, PartitionKind::vm, "x", 3).partition.table_pages = 300;
        said = "what=\"the core's pool is too small\" name=pages value=0x13";
    }
    SECTION("a vCPU out of its range") {
        const auto [index, core, priority] = GENERATE(table<uint16_t, uint16_t, uint16_t>({{8, 0, 0}, {0, 2, 0}, {0, 0, 64}}));
        m.vcpu(Table::unmade, Table::service, index, core, priority);
        said = "what=\"a vCPU's index, core or priority is out of range\" name=object value=0xb";
    }
    SECTION("a vCPU of what is no partition") {
        m.vcpu(Table::unmade, GENERATE(as<uint16_t>{}, 0, Table::bell, 64), 0, 0, 0),
            said = "what=\"a record names an object of another type\"";
    }
    SECTION("an interrupt that there is not") {
        m.add(RecordType::interrupt, Table::unmade).interrupt.intid = GENERATE(31u, 128u, 5'000u);
        said = "what=\"no such physical interrupt\" name=intid";
    }
    SECTION("a mapping over another") {
        BootRecord& map = m.add(RecordType::map, Table::memory, right::read);
        map.map.partition = Table::guest, map.map.ipa = ram_ipa - page_size;
        said = "what=\"a mapping does not fit\" name=guest value=0x7ffff000";
    }
    SECTION("memory that is mapped already") {
        BootRecord& map = m.add(RecordType::map, Table::part, right::read);
        map.map.partition = Table::guest, map.map.ipa = ram_ipa + 0x1'0000;
        said = "what=\"a mapping does not fit\" name=guest value=0x80010000";
    }
    SECTION("a device page over memory") {
        BootRecord& page = m.add(RecordType::device, Table::guest);
        page.device.endpoint = Table::door, page.device.ipa = ram_ipa, page.device.pages = 1;
        said = "what=\"a device page does not fit\" name=guest value=0x80000000";
    }
    SECTION("a device page of what is no endpoint") {
        m.add(RecordType::device, Table::guest).device.endpoint = Table::bell;
        said = "what=\"a record names an object of another type\" name=object value=0x9";
    }
    SECTION("an unknown trap") {
        m.add(RecordType::trap, Table::guest, 6).trap.endpoint = Table::door, said = "what=\"unknown trap\" name=trap value=0x6";
    }
    SECTION("a slot out of range") {
        BootRecord& capability = m.add(RecordType::capability, Table::bell);
        capability.capability.partition = Table::service, capability.capability.slot = GENERATE(0u, 16u);
        said = "what=\"a capability's slot or object is out of range\" name=service";
    }
    SECTION("a capability to an object beyond the table") {
        BootRecord& capability = m.add(RecordType::capability, 64);
        capability.capability.partition = Table::service, capability.capability.slot = 3;
        said = "what=\"a capability's slot or object is out of range\" name=service value=0x3";
    }
    SECTION("an interrupt that the VM has not") {
        m.add(RecordType::bind, Table::line).bind = {{RecordType::bind, Table::line, 1}, Table::guest, 96, {}};
        said = "what=\"a VM has no such interrupt\" name=intid value=0x60";
    }
    SECTION("a supervisor that takes no signals") {
        m.first(RecordType::partition).partition.supervisor = Table::door;
        said = "what=\"a record names an object of another type\" name=object value=0x8";
    }
    REQUIRE(said);
    m.seal();
    const std::string printed = m.refusal();
    CHECK_THAT(printed, Contains(said));
    CHECK_THAT(printed, Contains("mend=\"pack the image again\""));
    CHECK_THAT(printed, EndsWith("machine: off reason=error\r\n"));
}

} // namespace bulkhead::test
