// SPDX-License-Identifier: MIT
// EL2's own map: W^X, nothing but what was added, donated pages come and go.
#include "world.hpp"

using namespace bulkhead;
using namespace bulkhead::test;

namespace {

constexpr uint64_t xn = 1ull << 54, read_only = 1 << 7;

/// The descriptor of a page in EL2's tables, or 0.
uint64_t lookup(uint64_t address) {
    auto* table = reinterpret_cast<const uint64_t*>(el2_map::root());
    for (unsigned shift : {30, 21}) {
        const uint64_t entry = table[address >> shift & 511];
        if (!(entry & 1)) { return 0; }
        table = hw::pointer<uint64_t>({entry & 0xffff'ffff'f000});
    }
    return table[address >> 12 & 511];
}

/// The root table is one for the whole program: entries of an earlier test name tables that are gone.
void forget_tables() { __builtin_memset(reinterpret_cast<void*>(el2_map::root()), 0, page_size); }

} // namespace

TEST_CASE("nothing that EL2 maps is both writable and executable", "[mm][el2]") {
    forget_tables();
    core_pool.init({hw::arena_base}, mib / page_size);
    using enum el2_map::Permission;
    el2_map::add({0x4020'0000}, 2 * page_size, text);
    el2_map::add({0x4020'2000}, page_size, rodata);
    el2_map::add({0x4020'3000}, page_size, data);
    el2_map::add({0x0900'0000}, page_size, device);
    for (uint64_t page : {0x4020'0000, 0x4020'1000, 0x4020'2000, 0x4020'3000, 0x0900'0000}) {
        const uint64_t entry = lookup(page);
        CHECK((entry & 0xffff'ffff'f000) == page);
        CHECK(((entry & xn) != 0 || (entry & read_only) != 0));
    }
    CHECK((lookup(0x4020'1000) & xn) == 0);
    CHECK((lookup(0x4020'2000) & (xn | read_only)) == (xn | read_only));
    CHECK((lookup(0x4020'3000) & (xn | read_only)) == xn);
    CHECK((lookup(0x0900'0000) >> 2 & 7) == 1); // Device-nGnRE, see mair
    CHECK((el2_map::mair >> 8 & 0xff) == 0x04);
    CHECK(lookup(0x4020'4000) == 0);
    CHECK(lookup(0x401f'f000) == 0);
    forget_tables();
}

TEST_CASE("a donated page is mapped for a while", "[mm][el2]") {
    forget_tables();
    core_pool.init({hw::arena_base}, mib / page_size);
    el2_map::prepare({0x4100'0000 - page_size}, 2 * page_size); // touches two level-3 tables
    CHECK(lookup(0x4100'0000) == 0);
    el2_map::map_donated({0x4100'0000});
    el2_map::map_donated({0x4100'0000 - page_size});
    CHECK((lookup(0x4100'0000) & (xn | read_only | 3)) == (xn | 3));
    CHECK(lookup(0x4100'0000 - page_size) != 0);
    hw::log.clear();
    el2_map::unmap({0x4100'0000});
    CHECK(lookup(0x4100'0000) == 0);
    using hw::Op;
    std::vector<Op> done;
    for (auto& event : hw::log) { done.push_back(event.op); }
    CHECK(done == std::vector{Op::store, Op::dsb_ishst, Op::tlbi_el2, Op::dsb_ish, Op::isb});
    CHECK(hw::log[2].address == 0x4100'0000);
    CHECK_THROWS(el2_map::map_donated({0x5000'0000})); // never prepared
    forget_tables();
}
