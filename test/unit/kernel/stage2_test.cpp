// SPDX-License-Identifier: MIT
// Stage-2 tables: blocks, limits, the order of stores and TLB maintenance, device pages, bounded steps.
#include "world.hpp"

using namespace bulkhead;
using namespace bulkhead::test;
using hw::Op;

namespace {

constexpr uint64_t attributes(uint64_t entry) { return entry & ~0xffff'ffff'f000; }
constexpr uint64_t normal = 0b1111 << 2 | 0b11 << 8 | 1 << 10, device = 0b0001 << 2 | 1 << 10;
constexpr uint64_t can_read = 1 << 6, can_write = 1 << 7, xn = 1ull << 54, page = 3, block = 1;

struct Tables {
    Stage2 stage2;
    explicit Tables(uint64_t table_pages = 64) {
        hw::log.clear();
        hw::Cell<hw::VttbrEl2>::of[0] = {0xabc};
        core_pool.init({hw::arena_base}, 8 * mib / page_size);
        stage2.init(core_pool.take(1).value(), 7);
        stage2.pool().init(core_pool.take(table_pages).value(), table_pages);
    }
    Status map(uint64_t ipa, uint64_t pa, uint64_t size, uint64_t access = rw, abi::MemoryType type = abi::MemoryType::normal) {
        for (uint64_t done = 0; done < size;) {
            auto step = stage2.map({ipa + done}, {pa + done}, size - done, access, type);
            if (!step.ok()) { return step.status(); }
            done += step.value();
        }
        return Status::ok;
    }
    void unmap(uint64_t ipa, uint64_t size) {
        for (uint64_t done = 0; done < size;) { done += stage2.unmap({ipa + done}, size - done); }
    }
    Status set_device(uint64_t ipa, uint64_t count, DevicePage what) {
        for (uint64_t done = 0; done < count;) {
            auto step = stage2.set_device({ipa + done * page_size}, count - done, what);
            if (!step.ok()) { return step.status(); }
            done += step.value();
        }
        return Status::ok;
    }
};

std::vector<Op> operations() {
    std::vector<Op> all;
    for (const auto& event : hw::log) {
        if (event.op != Op::clean) { all.push_back(event.op); }
    }
    return all;
}

} // namespace

TEST_CASE("a page is mapped with its access and nothing around it", "[mm][stage2]") {
    Tables t;
    REQUIRE(t.map(0x3000, 0x9000'0000, page_size, rw) == Status::ok);
    CHECK(t.stage2.descriptor({0x3000}) == (0x9000'0000 | normal | can_read | can_write | xn | page));
    CHECK(t.stage2.descriptor({0x2000}) == 0);
    CHECK(t.stage2.descriptor({0x4000}) == 0);
    CHECK(t.stage2.descriptor({0x4000'0000}) == 0);
    CHECK(t.stage2.descriptor({ipa_limit}) == 0);
    CHECK(t.stage2.descriptor({~0ull}) == 0);
}

TEST_CASE("access and memory type become attributes", "[mm][stage2]") {
    Tables t;
    REQUIRE(t.map(0x0000, 0x9000'0000, page_size, r) == Status::ok);
    REQUIRE(t.map(0x1000, 0x9000'1000, page_size, rx) == Status::ok);
    REQUIRE(t.map(0x2000, 0x0900'0000, page_size, rw, abi::MemoryType::device) == Status::ok);
    REQUIRE(t.map(0x3000, 0x0900'1000, page_size, rx, abi::MemoryType::device) == Status::ok);
    CHECK(attributes(t.stage2.descriptor({0x0000})) == (normal | can_read | xn | page));
    CHECK(attributes(t.stage2.descriptor({0x1000})) == (normal | can_read | page));
    CHECK(attributes(t.stage2.descriptor({0x2000})) == (device | can_read | can_write | xn | page));
    CHECK(attributes(t.stage2.descriptor({0x3000})) == (device | can_read | xn | page));
}

TEST_CASE("blocks are used where both addresses and the size allow", "[mm][stage2]") {
    Tables t;
    REQUIRE(t.map(gib, 2 * gib, gib, rw) == Status::ok);
    CHECK(t.stage2.pool().left() == 64);
    CHECK(attributes(t.stage2.descriptor({gib + 5 * page_size})) == (normal | can_read | can_write | xn | block));
    CHECK(translate(t.stage2, {gib + 0x1234'5678}) == 2 * gib + 0x1234'5678);

    REQUIRE(t.map(4 * mib, gib + 2 * mib, 2 * mib) == Status::ok);
    CHECK(t.stage2.pool().left() == 63);
    CHECK(translate(t.stage2, {4 * mib + 0x12345}) == gib + 2 * mib + 0x12345);
    CHECK(t.stage2.descriptor({6 * mib}) == 0);

    REQUIRE(t.map(8 * mib, gib + page_size, 2 * mib) == Status::ok); // PA is not aligned: pages
    CHECK(t.stage2.pool().left() == 62);
    CHECK(translate(t.stage2, {8 * mib + 0x1f'f123}) == gib + 0x20'0123);
}

TEST_CASE("a range of every size is translated page by page as asked", "[mm][stage2]") {
    Tables t;
    const uint64_t ipa = 4 * mib - 3 * page_size, pa = 0x8000'0000 + 4 * mib - 3 * page_size;
    const uint64_t size = 3 * page_size + 6 * mib + 5 * page_size;
    REQUIRE(t.map(ipa, pa, size) == Status::ok);
    for (uint64_t offset = 0; offset < size; offset += page_size) { REQUIRE(translate(t.stage2, {ipa + offset}) == pa + offset); }
    CHECK(t.stage2.descriptor({ipa - 1}) == 0);
    CHECK(t.stage2.descriptor({ipa + size}) == 0);
    t.unmap(ipa, size);
    for (uint64_t offset = 0; offset < size; offset += page_size) { REQUIRE(t.stage2.descriptor({ipa + offset}) == 0); }
}

TEST_CASE("what is mapped cannot be mapped over", "[mm][stage2]") {
    Tables t;
    REQUIRE(t.map(2 * mib, gib, 2 * mib) == Status::ok); // a block
    CHECK(t.map(2 * mib + page_size, gib, page_size) == Status::overlap);
    CHECK(t.map(2 * mib, gib, 2 * mib) == Status::overlap);
    REQUIRE(t.map(6 * mib, gib, page_size) == Status::ok);
    CHECK(t.map(6 * mib, gib, page_size) == Status::overlap);
    CHECK(t.map(4 * mib, 2 * gib, 4 * mib) == Status::overlap); // reaches the page at 6 MiB
    CHECK(translate(t.stage2, {6 * mib}) == gib);
}

TEST_CASE("addresses and sizes out of range are refused", "[mm][stage2]") {
    Tables t;
    CHECK(t.map(0x800, gib, page_size) == Status::bad_argument);
    CHECK(t.map(0x1000, gib + 1, page_size) == Status::bad_argument);
    CHECK(t.map(0x1000, gib, page_size + 8) == Status::bad_argument);
    CHECK(t.map(ipa_limit, gib, page_size) == Status::bad_argument);
    CHECK(t.map(ipa_limit - page_size, gib, 2 * page_size) == Status::bad_argument);
    CHECK(t.map(~page_mask, gib, 2 * page_size) == Status::bad_argument);
    CHECK(t.map(ipa_limit - page_size, gib, page_size) == Status::ok);
    CHECK(translate(t.stage2, {ipa_limit - 1}) == gib + page_mask);
}

TEST_CASE("no table is taken that the pool does not have", "[mm][stage2]") {
    Tables t(1);
    CHECK(t.map(0, gib, page_size) == Status::no_memory);
    CHECK(t.stage2.descriptor({0}) == 0);
}

TEST_CASE("a table that was emptied stays, and serves what is mapped there next", "[mm][stage2]") {
    Tables t(2);
    for (unsigned round = 0; round < 10; ++round) {
        REQUIRE(t.map(4 * mib + page_size, gib + page_size, page_size) == Status::ok);
        t.unmap(4 * mib + page_size, page_size);
        REQUIRE(t.map(4 * mib, gib, 2 * mib) == Status::ok); // it would fit a block
        CHECK(t.stage2.pool().left() == 0);
        CHECK(attributes(t.stage2.descriptor({4 * mib})) == (normal | can_read | can_write | xn | page));
        for (uint64_t offset = 0; offset < 2 * mib; offset += page_size) {
            REQUIRE(translate(t.stage2, {4 * mib + offset}) == gib + offset);
        }
        t.unmap(4 * mib, 2 * mib);
        CHECK(t.stage2.descriptor({4 * mib}) == 0);
    }
    REQUIRE(t.map(6 * mib, gib, 2 * mib) == Status::ok); // beside it: a block needs no table
    CHECK(attributes(t.stage2.descriptor({6 * mib})) == (normal | can_read | can_write | xn | block));
}

TEST_CASE("a new table is seen empty before it is seen, and before its entries", "[mm][stage2]") {
    Tables t;
    hw::log.clear();
    REQUIRE(t.map(0x3000, 0x9000'0000, page_size) == Status::ok);
    CHECK(operations() == std::vector{Op::dsb_ishst, Op::store, Op::dsb_ishst, // level 2
                                      Op::dsb_ishst, Op::store, Op::dsb_ishst, // level 3
                                      Op::store, Op::dsb_ishst});              // the page
}

TEST_CASE("unmapping breaks, then invalidates stage 2, then what combines it", "[mm][stage2]") {
    Tables t;
    REQUIRE(t.map(0x3000, 0x9000'0000, 2 * page_size) == Status::ok);
    hw::log.clear();
    t.unmap(0x3000, 2 * page_size);
    CHECK(operations() == std::vector{Op::store, Op::store, Op::dsb_ishst, Op::isb, Op::tlbi_ipa, Op::tlbi_ipa, Op::dsb_ish,
                                      Op::tlbi_vmid_stage1, Op::dsb_ish, Op::isb});
    CHECK(hw::log[0].value == 0);
    CHECK(hw::log[4].address == 0x3000);
    CHECK(hw::log[5].address == 0x4000);
    for (unsigned n : {4, 5, 7}) { CHECK(hw::log[n].vttbr == t.stage2.vttbr()); }
    CHECK(hw::read<hw::VttbrEl2>().bits == 0xabc); // as it was
}

TEST_CASE("remapping a live page breaks before it makes", "[mm][stage2]") {
    Tables t;
    REQUIRE(t.map(0x3000, 0x9000'0000, page_size, r) == Status::ok);
    CHECK(t.map(0x3000, 0xa000'0000, page_size) == Status::overlap);
    hw::log.clear();
    t.unmap(0x3000, page_size);
    REQUIRE(t.map(0x3000, 0xa000'0000, page_size) == Status::ok);
    REQUIRE(hw::log.front().op == Op::store);
    CHECK(hw::log.front().value == 0);
    const auto tlbi = std::find(hw::log.begin(), hw::log.end(), hw::Event{Op::tlbi_ipa, 0x3000, 0, t.stage2.vttbr()});
    const auto make = std::find_if(hw::log.begin() + 1, hw::log.end(), [](const auto& e) { return e.op == Op::store; });
    REQUIRE(make != hw::log.end());
    CHECK(tlbi < make);
}

TEST_CASE("a step does not do more than 64 descriptors or one table", "[mm][stage2]") {
    Tables t;
    const uint64_t size = 2 * mib - page_size;
    uint64_t steps = 0;
    for (uint64_t done = 0; done < size; ++steps) {
        hw::log.clear();
        auto step = t.stage2.map({done}, {gib + done}, size - done, rw, abi::MemoryType::normal);
        REQUIRE(step.ok());
        const auto stores = std::count_if(hw::log.begin(), hw::log.end(), [](auto& e) { return e.op == Op::store; });
        REQUIRE(stores <= 64);
        if (step.value() == 0) { REQUIRE(stores == 1); }
        done += step.value();
    }
    CHECK(steps == 2 + 8);
    hw::log.clear();
    CHECK(t.stage2.unmap({0}, size) == 64 * page_size);
    CHECK(std::count_if(hw::log.begin(), hw::log.end(), [](auto& e) { return e.op == Op::tlbi_vmid_stage1; }) == 1);
}

TEST_CASE("a block is unmapped whole by one step and one invalidation", "[mm][stage2]") {
    Tables t;
    REQUIRE(t.map(2 * mib, gib, 2 * mib) == Status::ok);
    hw::log.clear();
    CHECK(t.stage2.unmap({2 * mib}, 2 * mib) == 2 * mib);
    CHECK(std::count_if(hw::log.begin(), hw::log.end(), [](auto& e) { return e.op == Op::tlbi_ipa; }) == 1);
    REQUIRE(t.map(2 * mib, gib, page_size) == Status::ok);
}

TEST_CASE("device pages hold endpoint and badge, and are found without a table walk for memory", "[mm][stage2]") {
    Tables t;
    const auto what = DevicePage::make(ObjectRef::make(0x7abc, 0x7001), 0xdead'beef);
    REQUIRE(t.set_device(0x0900'0000, 600, what) == Status::ok);
    const DevicePage found{t.stage2.descriptor({0x0900'0ffc})};
    CHECK(found.is_device());
    CHECK(found.endpoint() == ObjectRef::make(0x7abc, 0x7001));
    CHECK(found.badge() == 0xdead'beef);
    CHECK(t.stage2.descriptor({0x0900'0000 + 599 * page_size}) == what.bits);
    CHECK(t.stage2.descriptor({0x0900'0000 + 600 * page_size}) == 0);
    CHECK_FALSE(DevicePage{t.stage2.descriptor({0x0900'0000 + 600 * page_size})}.is_device());
}

TEST_CASE("device pages and memory exclude each other", "[mm][stage2]") {
    Tables t;
    const auto what = DevicePage::make(ObjectRef::make(3, 1), 1), another = DevicePage::make(ObjectRef::make(4, 1), 1);
    REQUIRE(t.map(0x1000, gib, page_size) == Status::ok);
    REQUIRE(t.map(4 * mib, gib, 2 * mib) == Status::ok);
    CHECK(t.set_device(0x1000, 1, what) == Status::overlap);
    CHECK(t.set_device(4 * mib + page_size, 1, what) == Status::overlap);
    REQUIRE(t.set_device(0x2000, 2, what) == Status::ok);
    CHECK(t.set_device(0x2000, 2, what) == Status::ok);
    CHECK(t.set_device(0x2000, 1, another) == Status::overlap);
    CHECK(t.map(0x2000, gib, page_size) == Status::overlap);
    CHECK(t.set_device(0x1000, 2, {}) == Status::overlap);
    CHECK(t.set_device(0x2000, 2, {}) == Status::ok);
    CHECK(t.stage2.descriptor({0x2000}) == 0);
    CHECK(t.map(0x2000, gib, page_size) == Status::ok);
    CHECK(t.set_device(64 * gib, 512, {}) == Status::ok); // nothing there, and no table for it
    CHECK(t.set_device(ipa_limit - page_size, 2, what) == Status::bad_argument);
    CHECK(t.set_device(0, ~0ull, what) == Status::bad_argument);
}

TEST_CASE("invalidate takes a VMID out of all TLBs under that VMID", "[mm][stage2]") {
    Tables t;
    hw::log.clear();
    t.stage2.invalidate();
    REQUIRE(hw::log[1].op == Op::tlbi_vmid);
    CHECK(hw::log[1].vttbr == t.stage2.vttbr());
    CHECK(hw::read<hw::VttbrEl2>().bits == 0xabc);
}
