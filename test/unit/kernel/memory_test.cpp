// SPDX-License-Identifier: MIT
// map, unmap, map_device: rights, states, failures undone, and work that is interrupted in the middle.
#include "world.hpp"

using namespace bulkhead;
using namespace bulkhead::test;
namespace right = abi::right;

namespace {
constexpr uint64_t at = 0x4000'0000;

Status map(World& w, uint64_t memory, uint64_t ipa, uint64_t access = rw, uint64_t partition = handle::other) {
    return w.call(Hypercall::map, {partition, memory, ipa, access});
}
} // namespace

TEST_CASE("memory is mapped at most once, until it is unmapped", "[memory][hypercall]") {
    World w;
    REQUIRE(map(w, handle::ram, at) == Status::ok);
    CHECK(translate(w.other->stage2, {at}) == World::ram.value);
    CHECK(translate(w.other->stage2, {at + World::ram_size - 1}) == World::ram.value + World::ram_size - 1);
    CHECK(w.memory_at(handle::ram).state == Memory::State::mapped);
    CHECK(map(w, handle::ram, 2 * at) == Status::bad_state);
    CHECK(map(w, handle::ram, at) == Status::bad_state);
    REQUIRE(w.call(Hypercall::unmap, {handle::ram}) == Status::ok);
    CHECK(translate(w.other->stage2, {at}) == ~0ull);
    CHECK(w.call(Hypercall::unmap, {handle::ram}) == Status::ok);
    CHECK(map(w, handle::ram, 2 * at, rx, handle::self) == Status::ok);
    CHECK(translate(w.root->stage2, {2 * at}) == World::ram.value);
}

TEST_CASE("map refuses bad access, rights, types and addresses", "[memory][hypercall]") {
    World w;
    CHECK(map(w, handle::ram, at, rw | rx) == Status::bad_argument);
    CHECK(map(w, handle::ram, at, 0) == Status::bad_argument);
    CHECK(map(w, handle::ram, at, abi::access::write) == Status::bad_argument);
    CHECK(map(w, handle::ram, at, 8 | r) == Status::bad_argument);
    CHECK(map(w, handle::device, at, rx) == Status::bad_argument);
    CHECK(map(w, handle::device, at, rw) == Status::ok);
    CHECK(map(w, handle::ram, at + 8) == Status::bad_argument);
    CHECK(map(w, handle::ram, ipa_limit) == Status::bad_argument);
    CHECK(map(w, handle::ram, ipa_limit - World::ram_size + page_size) == Status::bad_argument);
    CHECK(map(w, handle::ram, ~page_mask) == Status::bad_argument);
    CHECK(map(w, handle::self, at) == Status::bad_type);
    CHECK(map(w, handle::ram, at, rw, handle::ram) == Status::bad_type);
    w.grant(30, 4, right::map_memory | right::read);
    CHECK(map(w, 30, 2 * at, rw) == Status::no_right);
    CHECK(map(w, 30, 2 * at, rx) == Status::no_right);
    w.grant(31, 4, right::read);
    CHECK(map(w, 31, 2 * at, r) == Status::no_right);
    w.grant(32, 2, right::delegate);
    CHECK(map(w, handle::ram, 2 * at, r, 32) == Status::no_right);
    CHECK(w.memory_at(handle::ram).state == Memory::State::free);
    CHECK(map(w, 30, 2 * at, r) == Status::ok);
}

TEST_CASE("nothing executable is mapped into a confined partition", "[memory][hypercall]") {
    World w;
    w.other->confined = true;
    CHECK(map(w, handle::ram, at, rx) == Status::bad_state);
    CHECK(w.memory_at(handle::ram).state == Memory::State::free);
    CHECK(map(w, handle::ram, at, rw) == Status::ok);
}

TEST_CASE("a mapping that meets another is undone and says so", "[memory][hypercall]") {
    World w;
    const bool interrupted = GENERATE(false, true);
    const uint64_t hole = World::ram_size - 5 * page_size; // fills up to a page before the end
    REQUIRE(map(w, handle::device, at + hole + page_size) == Status::ok);
    REQUIRE(w.call(Hypercall::derive, {handle::ram, page_size, World::ram_size - page_size, 30, right::all}) == Status::ok);
    w.interrupt_always(interrupted);
    CHECK(map(w, 30, at + page_size) == Status::overlap);
    CHECK((w.restarts > 10) == interrupted);
    CHECK(w.memory_at(30).state == Memory::State::free);
    for (uint64_t offset = 0; offset < World::ram_size; offset += page_size) {
        const bool device = offset == hole + page_size;
        REQUIRE(translate(w.other->stage2, {at + offset}) == (device ? 0x0900'0000 : ~0ull));
    }
    CHECK(map(w, 30, 2 * at + page_size) == Status::ok);
}

TEST_CASE("a mapping for which there are no tables is undone", "[memory][hypercall]") {
    World w;
    Partition& poor = w.add_partition(50, 50, 2);
    w.grant(33, 50);
    REQUIRE(w.call(Hypercall::derive, {handle::ram, page_size, 4 * mib, 30, right::all}) == Status::ok);
    CHECK(map(w, 30, at, rw, 33) == Status::no_memory); // one level 2, three level 3 would be needed
    CHECK(w.memory_at(30).state == Memory::State::free);
    CHECK(translate(poor.stage2, {at}) == ~0ull);
}

TEST_CASE("map and unmap go on where an interrupt stopped them", "[memory][hypercall]") {
    World w;
    REQUIRE(w.call(Hypercall::derive, {handle::ram, page_size, 3 * mib, 30, right::all}) == Status::ok);
    w.interrupt_always(true);
    REQUIRE(map(w, 30, at) == Status::ok);
    CHECK(w.restarts >= 3 * 256 / 64);
    for (uint64_t offset = 0; offset < 3 * mib; offset += page_size) {
        REQUIRE(translate(w.other->stage2, {at + offset}) == World::ram.value + page_size + offset);
    }
    REQUIRE(w.call(Hypercall::unmap, {30}) == Status::ok);
    CHECK(w.restarts >= 3 * 256 / 64 - 1);
    for (uint64_t offset = 0; offset < 3 * mib; offset += page_size) {
        REQUIRE(translate(w.other->stage2, {at + offset}) == ~0ull);
    }
}

TEST_CASE("others do not disturb a mapping in the middle, but may undo it", "[memory][hypercall]") {
    World w;
    REQUIRE(w.call(Hypercall::derive, {handle::ram, page_size, 3 * mib, 30, right::all}) == Status::ok);
    w.interrupt_always(true);
    for (int n = 0; n < 6; ++n) { REQUIRE(w.once(Hypercall::map, {handle::other, 30, at, rw}) == restart); }
    CHECK(w.memory_at(30).state == Memory::State::mapped);
    CHECK(w.memory_at(30).mapped_size < 3 * mib);
    CHECK(w.once(Hypercall::map, {handle::other, 30, at, r}) == Status::bad_state);
    CHECK(w.once(Hypercall::map, {handle::other, 30, 2 * at, rw}) == Status::bad_state);
    CHECK(w.once(Hypercall::map, {handle::self, 30, at, rw}) == Status::bad_state);
    SECTION("another goes on with it") {
        w.interrupt_always(false);
        CHECK(map(w, 30, at, rw) == Status::ok);
        CHECK(translate(w.other->stage2, {at + 3 * mib - 1}) == World::ram.value + page_size + 3 * mib - 1);
    }
    SECTION("unmap takes back what there is") {
        CHECK(w.call(Hypercall::unmap, {30}) == Status::ok);
        for (uint64_t offset = 0; offset < 3 * mib; offset += page_size) {
            REQUIRE(translate(w.other->stage2, {at + offset}) == ~0ull);
        }
    }
    SECTION("an unmap in the middle is finished before a map") {
        w.interrupt_always(false);
        REQUIRE(map(w, 30, at, rw) == Status::ok);
        w.interrupt_always(true);
        for (int n = 0; n < 3; ++n) { REQUIRE(w.once(Hypercall::unmap, {30}) == restart); }
        w.interrupt_always(false);
        CHECK(map(w, 30, 2 * at, r) == Status::ok);
        CHECK(translate(w.other->stage2, {at + 3 * mib - 1}) == ~0ull);
        CHECK(translate(w.other->stage2, {2 * at}) == World::ram.value + page_size);
    }
}

TEST_CASE("device pages are mapped and unmapped by hypercall", "[memory][hypercall]") {
    World w;
    objects.publish(objects.take_at(20, ObjectType::endpoint));
    w.grant(20, 20);
    const bool interrupted = GENERATE(false, true);
    w.interrupt_always(interrupted);
    const auto device = [&](uint64_t ipa, uint64_t count, uint64_t endpoint, uint64_t badge) {
        return w.call(Hypercall::map_device, {handle::other, ipa, count, endpoint, badge});
    };
    REQUIRE(device(0x0900'0000, 300, 20, 0xffff'ffff) == Status::ok);
    const DevicePage last{w.other->stage2.descriptor({0x0900'0000 + 299 * page_size})};
    CHECK(last.endpoint() == w.root->table[20].object);
    CHECK(last.badge() == 0xffff'ffff);
    CHECK(device(0x0900'0000, 300, 20, 0xffff'ffff) == Status::ok); // again: nothing to do
    CHECK(device(0x0900'0000, 301, 20, 2) == Status::overlap);
    CHECK(w.other->stage2.descriptor({0x0900'0000 + 300 * page_size}) == 0);
    CHECK(device(0x0900'0000, ~0ull, 20, 2) == Status::bad_argument);
    CHECK(device(0, ipa_limit / page_size + 1, 20, 2) == Status::bad_argument);
    CHECK(device(0x0900'0000, 0, 20, 2) == Status::bad_argument);
    CHECK(device(0x0900'0100, 1, 20, 2) == Status::bad_argument);
    CHECK(device(ipa_limit - page_size, 2, 20, 2) == Status::bad_argument);
    CHECK(device(~page_mask, 1, 20, 2) == Status::bad_argument);
    CHECK(device(0x0a00'0000, 1, 20, 1ull << 32) == Status::bad_argument);
    CHECK(device(0x0a00'0000, 1, handle::ram, 2) == Status::bad_type);
    w.grant(30, 20, right::call);
    CHECK(device(0x0a00'0000, 1, 30, 2) == Status::no_right);
    REQUIRE(device(0x0900'0000, 300, ~0ull, 0) == Status::ok);
    CHECK(w.other->stage2.descriptor({0x0900'0000}) == 0);
    REQUIRE(map(w, handle::ram, at) == Status::ok);
    CHECK(device(at, 1, ~0ull, 0) == Status::overlap);
    CHECK(translate(w.other->stage2, {at}) == World::ram.value);
}
