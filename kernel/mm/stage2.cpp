// SPDX-License-Identifier: MIT
// Filling and emptying stage-2 tables in bounded steps, with the barriers and TLB maintenance that
// the architecture wants.
#include "mm/stage2.hpp"
#include <algorithm>

namespace bulkhead {

namespace {

constexpr uint64_t entries_per_table = 512;
constexpr uint64_t level1_span = 1ull << 30;
constexpr uint64_t step_entries = 64; // with a table walk, less than 1,000 instructions

/// A leaf descriptor without its address and level (Arm ARM, D8.3: stage 2 attributes).
constexpr uint64_t leaf_attributes(uint64_t access, abi::MemoryType type) {
    constexpr uint64_t normal = 0b1111 << 2 | 0b11 << 8, device_ngnre = 0b0001 << 2;
    constexpr uint64_t s2ap_read = 1 << 6, s2ap_write = 1 << 7, af = 1 << 10, xn = 1ull << 54;
    const bool executable = access & abi::access::execute && type == abi::MemoryType::normal;
    return (type == abi::MemoryType::normal ? normal : device_ngnre) | af | (access & abi::access::read ? s2ap_read : 0) |
           (access & abi::access::write ? s2ap_write : 0) | (executable ? 0 : xn);
}

/// Rewrites what `makes` says, from `first` on: a bounded number of entries, at most `limit`, until `admits` refuses what is there.
/// The walkers, and other cores' lookups, see them before what comes next. Returns how many.
template <class Admits, class Makes> uint64_t rewrite(PhysAddr table, uint64_t first, uint64_t limit, Admits admits, Makes makes) {
    const uint64_t count = std::min(std::min(step_entries, entries_per_table - first), limit);
    uint64_t done = 0;
    for (; done < count; ++done) {
        const PhysAddr entry = table + (first + done) * 8;
        if (!admits(__atomic_load_n(hw::pointer<uint64_t>(entry), __ATOMIC_RELAXED))) { break; }
        hw::store64(entry, makes(done));
    }
    hw::dsb_ishst();
    return done;
}

/// TLB maintenance by IPA or VMID acts on the VMID in VTTBR_EL2: that is `vttbr` while `maintain` runs.
template <class Maintain> void under(uint64_t vttbr, Maintain maintain) {
    const auto saved = hw::read<hw::VttbrEl2>();
    hw::write<hw::VttbrEl2>({vttbr});
    hw::isb(); // the TLBIs that follow see it
    maintain();
    hw::dsb_ish(); // complete on all cores
    hw::write<hw::VttbrEl2>(saved);
    hw::isb(); // also: nothing fetched through what was invalidated is executed after this
}

} // namespace

Stage2::Place Stage2::find(GuestAddr ipa) const {
    Place place{root_, ipa.value / level1_span, level1_span, 0};
    for (;;) {
        place.entry = load(place.table + place.index * 8);
        if (place.last_level() || (place.entry & 3) != table) { return place; }
        place.span /= entries_per_table;
        place.table = next(place.entry);
        place.index = ipa.value / place.span % entries_per_table;
    }
}

Result<uint64_t> Stage2::add_table(const Place& place) {
    const PhysAddr page = TRY(pool_.take(1));
    hw::dsb_ishst(); // its zeroes are seen before it is
    hw::store64(place.table + place.index * 8, page.value | table);
    hw::dsb_ishst(); // and it, before what is written next
    return 0;        // bytes of the mapping are done
}

Result<uint64_t> Stage2::map(GuestAddr ipa, PhysAddr pa, uint64_t size, uint64_t access, abi::MemoryType type) {
    if (!in_range(ipa, size) || size == 0 || !page_aligned(pa.value)) { return Status::bad_argument; }
    const Place place = find(ipa);
    if (place.entry != 0) { return Status::overlap; }
    if (size < place.span || ((ipa.value | pa.value) & (place.span - 1)) != 0) { return add_table(place); }
    const uint64_t leaf = leaf_attributes(access, type) | (place.last_level() ? 3 : 1);
    const auto leaf_at = [&](uint64_t n) { return (pa.value + n * place.span) | leaf; };
    const auto is_free = [](uint64_t old) { return old == 0; };
    return place.span * rewrite(place.table, place.index, size / place.span, is_free, leaf_at);
}

uint64_t Stage2::unmap(GuestAddr ipa, uint64_t size) {
    const Place place = find(ipa);
    const uint64_t rest = place.span - ipa.value % place.span;
    if (!(place.entry & 1)) { return std::min(size, rest); }
    const auto is_leaf = [&](uint64_t old) { return old & 1 && (place.last_level() || (old & 3) != table); };
    const auto nothing = [](uint64_t) { return 0; };
    const uint64_t done = rewrite(place.table, place.index, (size + place.span - 1) / place.span, is_leaf, nothing);
    under(vttbr(), [&] {
        for (uint64_t n = 0; n < done; ++n) { hw::tlbi_ipas2e1is(ipa + n * place.span); }
        hw::dsb_ish();        // stage 2 first,
        hw::tlbi_vmalle1is(); // then translations that combine stage 1 with it
    });
    return std::min(size, done * place.span);
}

Result<uint64_t> Stage2::set_device(GuestAddr ipa, uint64_t pages, DevicePage page) {
    if (pages - 1 >= ipa_limit / page_size || !in_range(ipa, pages * page_size)) { return Status::bad_argument; }
    const Place place = find(ipa);
    if (!place.last_level()) {
        if (place.entry != 0) { return Status::overlap; }
        if (page.bits == 0) { return std::min(pages, (place.span - ipa.value % place.span) / page_size); }
        return add_table(place);
    }
    const auto admitted = [&](uint64_t old) { return page.bits ? !old || old == page.bits : !(old & 1); };
    const uint64_t done = rewrite(place.table, place.index, pages, admitted, [&](uint64_t) { return page.bits; });
    return done ? Result<uint64_t>(done) : Result<uint64_t>(Status::overlap);
}

void Stage2::invalidate() const {
    under(vttbr(), [] {
        hw::tlbi_vmalls12e1is();
        hw::ic_ialluis();
    });
}

} // namespace bulkhead
