// SPDX-License-Identifier: MIT
// The object table: names that go stale, slots that are used again, and those that never are.
#include "world.hpp"

using namespace bulkhead;
using namespace bulkhead::test;

TEST_CASE("an object is found from publish to retire", "[cap][objects]") {
    World w;
    Slot* slot = objects.take(ObjectType::endpoint);
    REQUIRE(slot);
    CHECK(objects.find(ObjectRef::make(objects.index(*slot), 1)) == nullptr);
    objects.publish(*slot);
    const ObjectRef ref = objects.ref(*slot);
    CHECK(ref.generation() % 2 == 1);
    CHECK(objects.find(ref) == slot);
    CHECK(objects.find_dying(ref) == nullptr);
    objects.retire(*slot);
    CHECK(objects.find(ref) == nullptr);
    CHECK(objects.find_dying(ref) == slot);
    objects.release(*slot);
    CHECK(objects.find(ref) == nullptr);
    CHECK(objects.find_dying(ref) == nullptr);
}

TEST_CASE("nothing, and a free slot, names no object", "[cap][objects]") {
    World w;
    CHECK(objects.find({}) == nullptr);
    CHECK(objects.find(ObjectRef::make(0, 1)) == nullptr);
    CHECK(objects.find(ObjectRef::make(World::object_count - 1, 1)) == nullptr);
}

TEST_CASE("a slot is taken again, zeroed, only after every core has left EL2", "[cap][objects]") {
    World w;
    fake::quiescence_delay = 2;
    std::vector<Slot*> all;
    while (Slot* slot = objects.take(ObjectType::endpoint)) {
        slot->endpoint.max_ticks = 77;
        objects.publish(*slot);
        all.push_back(slot);
    }
    CHECK(all.size() == World::object_count - 1 - 7); // slot 0, and what the world made
    CHECK_FALSE(objects.reclaim(w.core));
    Slot& one = *all[100];
    const ObjectRef old = objects.ref(one);
    objects.retire(one);
    objects.release(one);
    CHECK(one.endpoint.max_ticks == 77); // a reader may still be in it
    CHECK(objects.take(ObjectType::memory) == nullptr);
    CHECK(objects.reclaim(w.core));
    CHECK(objects.reclaim(w.core));
    CHECK_FALSE(objects.can_take());
    CHECK(objects.reclaim(w.core));
    REQUIRE(objects.take(ObjectType::memory) == &one);
    CHECK(one.memory.mapped_size == 0);
    objects.publish(one);
    CHECK(objects.ref(one) != old);
    CHECK(objects.find(old) == nullptr);
    CHECK_FALSE(objects.reclaim(w.core));
}

TEST_CASE("a slot whose generation is used up is never used again", "[cap][objects]") {
    World w;
    while (objects.take(ObjectType::endpoint)) {}
    Slot& slot = objects.at(6);
    unsigned uses = 0;
    for (;;) {
        objects.retire(slot);
        objects.release(slot);
        if (!objects.reclaim(w.core)) { break; }
        REQUIRE(objects.take(ObjectType::endpoint) == &slot);
        objects.publish(slot);
        REQUIRE(objects.ref(slot).generation() < 0x8000); // 15 bits: what a device page holds
        ++uses;
    }
    CHECK(uses == 0x3fff);
    CHECK_FALSE(objects.can_take());
}

TEST_CASE("the boot's indices are taken out of the middle of the free ones", "[cap][objects]") {
    World w;
    Slot& slot = objects.take_at(300, ObjectType::interrupt);
    CHECK(objects.index(slot) == 300);
    CHECK_THROWS(objects.take_at(300, ObjectType::interrupt));
    CHECK_THROWS(objects.take_at(0, ObjectType::interrupt));
    CHECK_THROWS(objects.take_at(World::object_count, ObjectType::interrupt));
    unsigned count = 0;
    while (Slot* other = objects.take(ObjectType::endpoint)) {
        REQUIRE(objects.index(*other) != 300);
        ++count;
    }
    CHECK(count == World::object_count - 1 - 7 - 1);
}

TEST_CASE("VMIDs are unique, and come back", "[cap]") {
    World w; // has 1 and 2
    CHECK_FALSE(reserve_vmid(0));
    CHECK_FALSE(reserve_vmid(2));
    CHECK_FALSE(reserve_vmid(256));
    CHECK(reserve_vmid(200));
    std::vector<bool> seen(256);
    for (unsigned n = 0; n < 255 - 3; ++n) {
        const unsigned vmid = free_vmid();
        REQUIRE(reserve_vmid(vmid));
        REQUIRE_FALSE(seen[vmid]);
        seen[vmid] = true;
    }
    CHECK_FALSE(seen[200]);
    CHECK(free_vmid() == 0);
    release_vmid(200);
    CHECK(free_vmid() == 200);
}
