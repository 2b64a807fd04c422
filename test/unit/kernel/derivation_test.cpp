// SPDX-License-Identifier: MIT
// derive and revoke: sub-ranges with fewer rights, deep and wide trees, interrupted in the middle.
#include "world.hpp"

using namespace bulkhead;
using namespace bulkhead::test;
namespace right = abi::right;

namespace {
constexpr uint64_t at = 0x4000'0000;

Status derive(World& w, uint64_t from, uint64_t to, uint64_t offset = 0, uint64_t size = page_size, uint64_t rights = right::all) {
    return w.call(Hypercall::derive, {from, offset, size, to, rights});
}
} // namespace

TEST_CASE("derived memory is a sub-range with a subset of the rights", "[memory][hypercall]") {
    World w;
    REQUIRE(derive(w, handle::ram, 30, 2 * page_size, 3 * page_size, right::read | right::map_memory | right::derive) ==
            Status::ok);
    CHECK(w.memory_at(30).base == World::ram + 2 * page_size);
    CHECK(w.memory_at(30).size == 3 * page_size);
    CHECK(w.root->table[30].rights == (right::read | right::map_memory | right::derive));
    REQUIRE(w.call(Hypercall::map, {handle::other, handle::ram, at, rw}) == Status::ok); // shared: both are mapped
    REQUIRE(w.call(Hypercall::map, {handle::self, 30, at, r}) == Status::ok);
    CHECK(translate(w.root->stage2, {at}) == World::ram.value + 2 * page_size);
    CHECK(derive(w, 30, 31, 0, page_size, right::write) == Status::no_right);
    CHECK(derive(w, 30, 31, 0, 4 * page_size, 0) == Status::bad_argument);
    CHECK(derive(w, 30, 31, 3 * page_size, page_size, 0) == Status::bad_argument);
    CHECK(derive(w, 30, 31, ~page_mask, 2 * page_size, 0) == Status::bad_argument);
    CHECK(derive(w, 30, 31, page_size, ~page_mask, 0) == Status::bad_argument);
    CHECK(derive(w, 30, 31, 8, page_size, 0) == Status::bad_argument);
    CHECK(derive(w, 30, 31, 0, 0, 0) == Status::bad_argument);
    CHECK(derive(w, 30, 30, 0, page_size, 0) == Status::no_slot);
    w.grant(32, 4, right::map_memory);
    CHECK(derive(w, 32, 31, 0, page_size, 0) == Status::no_right);
    CHECK(derive(w, handle::self, 31) == Status::bad_type);
}

TEST_CASE("derivation is paid from a quota, which comes back", "[memory][hypercall]") {
    World w;
    w.root->object_quota = 2;
    REQUIRE(derive(w, handle::ram, 30) == Status::ok);
    REQUIRE(derive(w, handle::ram, 31) == Status::ok);
    CHECK(derive(w, handle::ram, 32) == Status::no_slot);
    REQUIRE(w.call(Hypercall::destroy, {30}) == Status::ok);
    CHECK(w.root->object_quota == 1);
    CHECK(derive(w, handle::ram, 32) == Status::ok);
    REQUIRE(w.call(Hypercall::revoke, {handle::ram}) == Status::ok);
    CHECK(w.root->object_quota == 2);
}

TEST_CASE("a chain of derivations has a bound", "[memory][hypercall]") {
    World w;
    REQUIRE(derive(w, handle::ram, 30) == Status::ok);
    uint64_t last = 30;
    while (derive(w, last, last + 1) == Status::ok) { ++last; }
    CHECK(last - 29 == max_derivation_depth);
    CHECK(derive(w, last, last + 1) == Status::no_slot);
}

TEST_CASE("revoke ends everything derived, mapped or not, and unmaps the memory itself", "[memory][hypercall]") {
    World w;
    w.interrupt_always(GENERATE(false, true));
    std::vector<uint64_t> made;
    for (uint64_t branch = 0; branch < 10; ++branch) { // ten chains of thirty, each link mapped in turn
        uint64_t from = handle::ram;
        for (uint64_t depth = 0; depth < 30; ++depth) {
            const uint64_t to = 50 + branch * 30 + depth;
            REQUIRE(derive(w, from, to, 0, 16 * page_size) == Status::ok);
            const uint64_t partition = depth % 2 ? handle::self : handle::other;
            if (depth % 3 == 0) {
                REQUIRE(w.call(Hypercall::map, {partition, to, at + (branch * 30 + depth) * 16 * page_size, rw}) == Status::ok);
            }
            made.push_back(from = to);
        }
    }
    REQUIRE(w.call(Hypercall::map, {handle::other, handle::ram, 4 * at, rw}) == Status::ok);
    const uint32_t quota = w.root->object_quota;
    REQUIRE(w.call(Hypercall::revoke, {handle::ram}) == Status::ok);
    for (uint64_t one : made) { REQUIRE_FALSE(w.alive(one)); }
    CHECK(w.root->object_quota == quota + 300);
    CHECK(w.memory_at(handle::ram).first_child == 0);
    CHECK(w.memory_at(handle::ram).state == Memory::State::free);
    for (uint64_t n = 0; n < 300 * 16; ++n) {
        REQUIRE(translate(w.other->stage2, {at + n * page_size}) == ~0ull);
        REQUIRE(translate(w.root->stage2, {at + n * page_size}) == ~0ull);
    }
    CHECK(translate(w.other->stage2, {4 * at}) == ~0ull);
    CHECK(derive(w, handle::ram, 50) == Status::ok);
}

TEST_CASE("while memory is revoked nothing is derived from it, and any caller can finish", "[memory][hypercall]") {
    World w;
    for (uint64_t n = 0; n < 40; ++n) { REQUIRE(derive(w, handle::ram, 50 + n) == Status::ok); }
    w.interrupt_always(true);
    for (unsigned n = 0; n < 10; ++n) { REQUIRE(w.once(Hypercall::revoke, {handle::ram}) == restart); }
    CHECK(derive(w, handle::ram, 100) == Status::bad_state);
    w.grant(33, 4, right::derive); // another holder
    CHECK(w.call(Hypercall::revoke, {33}) == Status::ok);
    CHECK(w.call(Hypercall::revoke, {handle::ram}) == Status::ok);
    CHECK(derive(w, handle::ram, 100) == Status::ok);
    w.grant(34, 4, right::map_memory);
    CHECK(w.call(Hypercall::revoke, {34}) == Status::no_right);
}

TEST_CASE("a capability is stale as soon as revocation reaches its branch", "[memory][hypercall]") {
    World w;
    REQUIRE(derive(w, handle::ram, 50, 0, 64 * page_size) == Status::ok);
    REQUIRE(derive(w, 50, 51, 0, 64 * page_size) == Status::ok);
    REQUIRE(w.call(Hypercall::map, {handle::other, 51, at + page_size, rw}) == Status::ok);
    w.interrupt_always(true);
    REQUIRE(w.once(Hypercall::revoke, {handle::ram}) == restart);
    CHECK(derive(w, 50, 52) == Status::bad_handle);
    CHECK(w.once(Hypercall::unmap, {51}) == Status::bad_handle);
    CHECK(w.call(Hypercall::revoke, {handle::ram}) == Status::ok);
}

TEST_CASE("derived memory is destroyed with what is below it; the boot's is not", "[memory][hypercall]") {
    World w;
    w.interrupt_always(GENERATE(false, true));
    REQUIRE(derive(w, handle::ram, 50, 0, 4 * page_size) == Status::ok);
    REQUIRE(derive(w, 50, 51) == Status::ok);
    REQUIRE(derive(w, handle::ram, 52) == Status::ok);
    REQUIRE(w.call(Hypercall::map, {handle::other, 50, at, rw}) == Status::ok);
    CHECK(w.call(Hypercall::destroy, {handle::ram}) == Status::bad_state);
    REQUIRE(w.call(Hypercall::destroy, {50}) == Status::ok);
    CHECK_FALSE(w.alive(50));
    CHECK_FALSE(w.alive(51));
    CHECK(w.alive(52));
    CHECK(translate(w.other->stage2, {at}) == ~0ull);
    CHECK(w.call(Hypercall::destroy, {50}) == Status::bad_handle);
}
