// SPDX-License-Identifier: MIT
// A small machine for tests of objects and memory: a partition that calls ("root"), its memory, and hypercalls that
// restart until they are done.
#pragma once
#include "cap/destroy.hpp"
#include "cap/partition.hpp"
#include "fake/gate.hpp"
#include "fake/neighbours.hpp"
#include "hypercall/hypercall.hpp"
#include "mm/el2_map.hpp"
#include "mm/pool.hpp"
#include "unit/kernel/status_text.hpp"
#include "vcpu/switching.hpp"
#include <initializer_list>

namespace bulkhead::test {

using abi::Hypercall;

constexpr uint64_t pages = page_size;
constexpr uint64_t mib = 1 << 20, gib = 1 << 30;
constexpr uint64_t r = abi::access::read, rw = r | abi::access::write, rx = r | abi::access::execute;

/// Handles in root's table.
namespace handle {
constexpr uint64_t self = 1, caller = 2, ram = 3, device = 4, other = 5, donatable = 6, bell = 7, first_free = 8;
}

struct World {
    static constexpr uint32_t object_count = 600;
    static constexpr PhysAddr ram{0x8000'0000};       ///< not in the arena: the core never touches it
    static constexpr PhysAddr donatable{0x4100'0000}; ///< in the arena
    static constexpr uint64_t ram_size = 8 * mib, donatable_size = 4 * mib;

    Core& core = *cores[0];
    Partition* root = nullptr;  ///< whose vCPU calls
    Partition* other = nullptr; ///< another one, empty
    Vcpu* self = nullptr;
    unsigned restarts = 0; ///< of the last hypercall
    Status last{};

    World() {
        hw::log.clear();
        hw::looks_before_interrupt = -1;
        hw::Cell<hw::IsrEl1>::of[0] = {0};
        hw::Cell<hw::VttbrEl2>::of[0] = {0xabc};
        hw::Cell<hw::Cntfrq>::of[0] = {62'500'000};
        fake::reset_neighbours();
        mutation = false;
        for (unsigned vmid = 1; vmid < 256; ++vmid) { release_vmid(static_cast<uint16_t>(vmid)); }
        __builtin_memset(hw::arena(), 0xa5, hw::arena_size);
        __builtin_memset(reinterpret_cast<void*>(el2_map::root()), 0, page_size);
        core_pool.init({hw::arena_base}, 8 * mib / page_size);
        auto slots = core_pool.take((object_count * sizeof(Slot) + page_mask) / page_size);
        objects.init(hw::pointer<Slot>(slots.value()), object_count);
        el2_map::prepare(donatable, donatable_size);
        root = &add_partition(1, 1);
        other = &add_partition(2, 2);
        self = &add_vcpu(3, *root, 0);
        add_memory(4, ram, ram_size, abi::MemoryType::normal, false);
        add_memory(5, {0x0900'0000}, page_size, abi::MemoryType::device, false);
        add_memory(6, donatable, donatable_size, abi::MemoryType::normal, true);
        grant(handle::self, 1);
        grant(handle::caller, 3);
        grant(handle::ram, 4);
        grant(handle::device, 5);
        grant(handle::other, 2);
        grant(handle::donatable, 6);
        objects.publish(objects.take_at(7, ObjectType::notification));
        grant(handle::bell, 7);
    }

    Partition& add_partition(uint16_t index, uint16_t vmid, uint64_t tables = 64) {
        REQUIRE(reserve_vmid(vmid));
        const uint64_t count = partition_pages(abi::PartitionKind::native, 512) + tables;
        auto base = core_pool.take(count);
        Slot& slot = objects.take_at(index, ObjectType::partition);
        slot.partition = &init_partition(base.value(), count, {index, vmid, abi::PartitionKind::native, 512, 0});
        slot.partition->object_quota = 400;
        objects.publish(slot);
        return *slot.partition;
    }
    Vcpu& add_vcpu(uint16_t index, Partition& of, unsigned number) {
        Slot& slot = objects.take_at(index, ObjectType::vcpu);
        slot.vcpu = hw::pointer<Vcpu>(core_pool.take(1).value());
        init_vcpu(*slot.vcpu, of, number, 0, 10);
        slot.vcpu->object_index = index;
        objects.publish(slot);
        return *slot.vcpu;
    }
    void add_memory(uint16_t index, PhysAddr base, uint64_t size, abi::MemoryType type, bool donate) {
        Slot& slot = objects.take_at(index, ObjectType::memory);
        slot.memory.base = base;
        slot.memory.size = size;
        slot.memory.memory_type = type;
        slot.memory.donatable = donate;
        objects.publish(slot);
    }
    void grant(uint64_t at, uint16_t index, uint64_t rights = abi::right::all, uint64_t badge = 0) {
        fill_slot(root->table[at], objects.ref(index), rights, badge);
    }

    /// One execution of the hypercall.
    Status once(Hypercall number, std::initializer_list<uint64_t> x) {
        unsigned n = 0;
        for (uint64_t& word : self->context.x) { word = 0; }
        for (uint64_t value : x) { self->context.x[n++] = value; }
        return again(number);
    }
    /// The same, restarted.
    Status again(Hypercall number) {
        Arguments arguments{};
        for (unsigned n = 0; n < 9; ++n) { arguments.x[n] = self->context.x[n]; }
        auto target = fake::pass_gate(*self->partition, arguments.x[0], static_cast<uint64_t>(number));
        last = target.ok() ? handler(number)(core, *self, arguments, target.value()) : target.status();
        return last;
    }
    /// Until it is done.
    Status call(Hypercall number, std::initializer_list<uint64_t> x) {
        Status status = once(number, x);
        for (restarts = 0; status == restart && restarts < 100'000; ++restarts) { status = again(number); }
        return status;
    }
    static HypercallHandler* handler(Hypercall number) {
        static HypercallHandler* const handlers[] = {
            hypercall::delegate, hypercall::drop,       hypercall::derive, hypercall::revoke,  hypercall::map,
            hypercall::unmap,    hypercall::map_device, hypercall::create, hypercall::destroy, hypercall::bind};
        return number == Hypercall::route ? hypercall::route
                                          : handlers[static_cast<unsigned>(number) - static_cast<unsigned>(Hypercall::delegate)];
    }
    void interrupt_always(bool on) { hw::Cell<hw::IsrEl1>::of[0] = {on ? 0x80u : 0u}; }

    Slot& slot(uint64_t at) const { return *objects.find(root->table[at].object); }
    Memory& memory_at(uint64_t at) const { return slot(at).memory; }
    bool alive(uint64_t at) const { return objects.find(root->table[at].object) != nullptr; }
    /// `offset` and `size` of the donatable memory, as a capability at `at`.
    Status piece(uint64_t at, uint64_t offset, uint64_t size) {
        return call(Hypercall::derive, {handle::donatable, offset, size, at, abi::right::all});
    }
};

/// Where a partition finds `ipa`: the physical address, or ~0.
inline uint64_t translate(const Stage2& tables, GuestAddr ipa) {
    constexpr uint64_t address_mask = 0xffff'ffff'f000;
    const uint64_t entry = tables.descriptor(ipa);
    if (!(entry & 1)) { return ~0ull; }
    if (entry & 2) { return (entry & address_mask) + ipa.value % page_size; }
    const uint64_t start = ipa.value & ~(gib - 1); // a block: does the same entry serve the whole GiB?
    const bool level1 = tables.descriptor({start}) == entry && tables.descriptor({start + gib - page_size}) == entry;
    return (entry & address_mask) + ipa.value % (level1 ? gib : 2 * mib);
}

} // namespace bulkhead::test
