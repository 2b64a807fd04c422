// SPDX-License-Identifier: MIT
// EL2's translation tables: three levels, pages only, so that guard pages and donations need no
// splitting.
#include "mm/el2_map.hpp"
#include "mm/pool.hpp"
#include <algorithm>

namespace bulkhead::el2_map {

namespace {

alignas(page_size) uint64_t level1[512];
constexpr uint64_t table_span = sizeof(level1) / sizeof(uint64_t) * page_size; ///< of one at level 3

/// Where the descriptor of a page is; `make`: with tables where there are none.
uint64_t* entry_of(PhysAddr page, bool make) {
    ASSERT(page.value < ipa_limit);
    uint64_t* table = level1;
    for (const unsigned shift : {30, 21}) {
        uint64_t& entry = table[page.value >> shift & 511];
        if (entry == 0) {
            ASSERT(make);
            auto made = core_pool.take(1);
            ASSERT(made.ok());
            entry = made.value().value | 3;
        }
        table = hw::pointer<uint64_t>({entry & ~page_mask});
    }
    return table + (page.value >> 12 & 511);
}

} // namespace

[[gnu::section(".text.boot")]] void add(PhysAddr base, uint64_t size, Permission permission) {
    ASSERT(page_aligned(base.value | size));
    uint64_t* entry = nullptr;
    for (uint64_t at = base.value, end = at + size; at < end; at += page_size) {
        entry = entry && at % table_span ? entry + 1 : entry_of({at}, true);
        *entry = at | static_cast<uint64_t>(permission);
    }
}

[[gnu::section(".text.boot")]] void prepare(PhysAddr base, uint64_t size) {
    for (uint64_t at = base.value & ~(table_span - 1); at < base.value + size; at += table_span) { entry_of({at}, true); }
}

uint64_t* root() { return level1; }

[[gnu::section(".text.boot")]] void enable() {
    constexpr auto sctlr = SctlrEl2::m(1) | SctlrEl2::a(1) | SctlrEl2::c(1) | SctlrEl2::sa(1) | SctlrEl2::i(1) | SctlrEl2::wxn(1);
    constexpr auto tcr = TcrEl2::t0sz(25) | TcrEl2::irgn0(1) | TcrEl2::orgn0(1) | TcrEl2::sh0(3) | Value<TcrEl2>{TcrEl2::res1};
    const uint64_t pa_range = std::min<uint64_t>(hw::read<hw::IdAa64Mmfr0>().bits & 0xf, 5);
    hw::write<hw::MairEl2>({mair});
    hw::write<TcrEl2>(tcr.with(TcrEl2::ps, pa_range));
    hw::write<hw::Ttbr0El2>({hw::physical(root()).value});
    hw::dsb_sy(); // the tables are written
    hw::tlbi_alle2();
    hw::dsb_sy();
    hw::isb(); // and nothing older is used
    hw::write<SctlrEl2>(Value<SctlrEl2>{SctlrEl2::res1} | sctlr);
    hw::isb(); // translated from here on
}

void map_donated(PhysAddr page) {
    hw::store64(hw::physical(entry_of(page, false)), page.value | static_cast<uint64_t>(Permission::data));
    hw::dsb_ishst(); // the walkers see it
    hw::isb();       // before the accesses that follow
}

void unmap(PhysAddr page) {
    hw::store64(hw::physical(entry_of(page, false)), 0);
    hw::dsb_ishst(); // no walk finds it any more
    hw::tlbi_vae2is(page.value);
    hw::dsb_ish();
    hw::isb();
}

} // namespace bulkhead::el2_map
