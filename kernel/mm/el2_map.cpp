// SPDX-License-Identifier: MIT
// EL2's translation tables: three levels, pages only, so that guard pages and donations need no
// splitting.
#include "mm/el2_map.hpp"
#include "mm/pool.hpp"
#include <algorithm>

namespace bulkhead::el2_map {

namespace {

struct alignas(page_size) Table {
    uint64_t entries[512];
};
Table level1;
constexpr uint64_t table_span = sizeof(Table) / sizeof(uint64_t) * page_size;

/// A page descriptor without its address (Arm ARM, D8.3: stage 1 attributes, EL2).
constexpr uint64_t attributes(Permission permission) {
    constexpr uint64_t page = 3, af = 1 << 10, inner_shareable = 3 << 8, read_only = 1 << 7;
    constexpr uint64_t device = 1 << 2, res1_ap1 = 1 << 6, xn = 1ull << 54;
    constexpr uint64_t common = page | af | inner_shareable | res1_ap1;
    switch (permission) {
    case Permission::text: return common | read_only;
    case Permission::rodata: return common | read_only | xn;
    case Permission::data: return common | xn;
    default: return common | xn | device;
    }
}

Table& next(uint64_t& entry, bool make) {
    if (entry == 0) {
        ASSERT(make);
        auto page = core_pool.take(1);
        ASSERT(page.ok());
        entry = page.value().value | 3;
    }
    return *hw::pointer<Table>({entry & ~page_mask});
}

uint64_t& entry_of(PhysAddr page, bool make) {
    ASSERT(page.value < ipa_limit);
    Table& level2 = next(level1.entries[page.value >> 30], make);
    Table& level3 = next(level2.entries[page.value >> 21 & 511], make);
    return level3.entries[page.value >> 12 & 511];
}

} // namespace

[[gnu::section(".text.boot")]] void add(PhysAddr base, uint64_t size, Permission permission) {
    ASSERT(page_aligned(base.value | size));
    uint64_t* entry = nullptr;
    for (uint64_t at = base.value, end = at + size; at < end; at += page_size) {
        entry = entry && at % table_span ? entry + 1 : &entry_of({at}, true);
        *entry = at | attributes(permission);
    }
}

[[gnu::section(".text.boot")]] void prepare(PhysAddr base, uint64_t size) {
    for (uint64_t at = base.value & ~(table_span - 1); at < base.value + size; at += table_span) { entry_of({at}, true); }
}

[[gnu::section(".text.boot")]] uint64_t root() { return hw::physical(&level1).value; }

[[gnu::section(".text.boot")]] Value<TcrEl2> control() {
    const uint64_t pa_range = std::min<uint64_t>(hw::read<hw::IdAa64Mmfr0>().bits & 0xf, 5);
    return (TcrEl2::t0sz(25) | TcrEl2::irgn0(1) | TcrEl2::orgn0(1) | TcrEl2::sh0(3) | Value<TcrEl2>{TcrEl2::res1})
        .with(TcrEl2::ps, pa_range);
}

void map_donated(PhysAddr page) {
    const uint64_t descriptor = page.value | attributes(Permission::data);
    hw::store64(hw::physical(&entry_of(page, false)), descriptor);
    hw::dsb_ishst(); // the walkers see it
    hw::isb();       // before the accesses that follow
}

void unmap(PhysAddr page) {
    hw::store64(hw::physical(&entry_of(page, false)), 0);
    hw::dsb_ishst(); // no walk finds it any more
    hw::tlbi_vae2is(page.value);
    hw::dsb_ish();
    hw::isb();
}

} // namespace bulkhead::el2_map
