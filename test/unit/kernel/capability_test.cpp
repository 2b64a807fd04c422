// SPDX-License-Identifier: MIT
// Capabilities: the one way from a handle to an object; delegate, mint, drop.
#include "hypercall/hypercall.hpp"
#include "world.hpp"

using namespace bulkhead;
using namespace bulkhead::test;
namespace right = abi::right;

namespace {
constexpr uint64_t endpoint = 20, notification = 21;

struct Ipc : World {
    Ipc() {
        objects.publish(objects.take_at(20, ObjectType::endpoint));
        objects.publish(objects.take_at(21, ObjectType::notification));
        grant(endpoint, 20);
        grant(notification, 21);
    }
    Status give(uint64_t slot, uint64_t own, uint64_t rights = right::all, uint64_t badge = 0) {
        return call(Hypercall::delegate, {handle::other, slot, own, rights, badge});
    }
};
} // namespace

TEST_CASE("a lookup checks bounds, life, type and rights", "[cap]") {
    Ipc w;
    w.grant(30, 20, right::serve);
    const Partition& root = *w.root;
    CHECK(root.lookup<Endpoint>(endpoint, right::call).ok());
    CHECK(root.lookup<Endpoint>(endpoint, right::call).value().capability->object == root.table[endpoint].object);
    CHECK(root.lookup<Endpoint>(0, 0).status() == Status::bad_handle);
    CHECK(root.lookup<Endpoint>(31, 0).status() == Status::bad_handle);
    CHECK(root.lookup<Endpoint>(512, 0).status() == Status::bad_handle);
    CHECK(root.lookup<Endpoint>(~0ull, 0).status() == Status::bad_handle);
    CHECK(root.lookup<Notification>(endpoint, 0).status() == Status::bad_type);
    CHECK(root.lookup<Endpoint>(30, right::call).status() == Status::no_right);
    CHECK(root.lookup<Endpoint>(30, right::call | right::serve).status() == Status::no_right);
    objects.retire(w.slot(endpoint));
    CHECK(root.lookup<Endpoint>(endpoint, right::call).status() == Status::bad_handle);
    CHECK(root.lookup<Endpoint>(30, right::serve).status() == Status::bad_handle);
}

TEST_CASE("delegation gives a subset of the rights", "[cap][hypercall]") {
    Ipc w;
    w.grant(30, 20, right::call | right::destroy);
    REQUIRE(w.give(5, 30, right::call) == Status::ok);
    CHECK(w.other->table[5].rights == right::call);
    CHECK(w.other->table[5].object == w.root->table[endpoint].object);
    CHECK(w.give(6, 30, right::call | right::serve) == Status::no_right);
    CHECK(w.give(6, 30, 1ull << 40) == Status::no_right);
    CHECK(w.give(6, 31) == Status::bad_handle);
    CHECK(w.give(6, 512) == Status::bad_handle);
    CHECK(w.give(6, 30, 0) == Status::ok);
    CHECK(w.call(Hypercall::delegate, {endpoint, 7, 30, 0, 0}) == Status::bad_type);
    w.grant(31, 2, right::map_into);
    CHECK(w.call(Hypercall::delegate, {31, 7, 30, 0, 0}) == Status::no_right);
}

TEST_CASE("a destination must be a free slot of the table", "[cap][hypercall]") {
    Ipc w;
    CHECK(w.give(0, endpoint) == Status::no_slot);
    CHECK(w.give(512, endpoint) == Status::no_slot);
    CHECK(w.give(~0ull, endpoint) == Status::no_slot);
    CHECK(w.give(511, endpoint) == Status::ok);
    CHECK(w.give(511, endpoint) == Status::no_slot);
}

TEST_CASE("a badge is given once, to what has badges", "[cap][hypercall]") {
    Ipc w;
    REQUIRE(w.give(5, endpoint, right::all, 0x1234'5678'9abc) == Status::ok);
    CHECK(w.other->table[5].badge == 0x1234'5678'9abc);
    w.grant(30, 20, right::all, 7);
    CHECK(w.give(6, 30, right::all, 8) == Status::no_right);
    CHECK(w.give(6, 30, right::all, 7) == Status::ok);
    CHECK(w.give(7, 30, right::all, 0) == Status::ok);
    CHECK(w.other->table[7].badge == 7);
    CHECK(w.give(8, notification, right::signal, 0b100) == Status::ok);
    CHECK(w.give(9, handle::ram, right::all, 1) == Status::bad_type);
    CHECK(w.give(9, handle::caller, right::all, 1) == Status::bad_type);
    CHECK(w.give(9, handle::self, right::interrupt_line, 0x0021'0020) == Status::ok); // INTIDs
}

TEST_CASE("drop frees a slot, of the own table or of a partition's", "[cap][hypercall]") {
    Ipc w;
    REQUIRE(w.call(Hypercall::drop, {endpoint, 0}) == Status::ok);
    CHECK_FALSE(w.root->lookup<Endpoint>(endpoint, 0).ok());
    CHECK(objects.find(ObjectRef::make(20, 1)) != nullptr); // the object stays
    CHECK(w.call(Hypercall::drop, {endpoint, 0}) == Status::bad_handle);
    CHECK(w.call(Hypercall::drop, {512, 0}) == Status::bad_handle);
    REQUIRE(w.give(5, notification) == Status::ok);
    CHECK(w.call(Hypercall::drop, {5, handle::other}) == Status::ok);
    CHECK(w.call(Hypercall::drop, {5, handle::other}) == Status::bad_handle);
    w.grant(31, 2, right::map_into);
    CHECK(w.call(Hypercall::drop, {5, 31}) == Status::no_right);
    CHECK(w.call(Hypercall::drop, {5, notification}) == Status::bad_type);
}

TEST_CASE("a dropped slot is filled again when nobody can still look at it", "[cap][hypercall]") {
    Ipc w;
    fake::quiescence_delay = 3;
    REQUIRE(w.give(5, endpoint) == Status::ok);
    CHECK(w.restarts == 0);
    REQUIRE(w.call(Hypercall::drop, {5, handle::other}) == Status::ok);
    REQUIRE(w.give(5, notification) == Status::ok);
    CHECK(w.restarts == 3);
    CHECK(w.give(6, notification) == Status::ok);
    CHECK(w.restarts == 0);
}

TEST_CASE("a slot that names a dead object counts as free", "[cap][hypercall]") {
    Ipc w;
    fake::quiescence_delay = 1;
    REQUIRE(w.give(5, endpoint) == Status::ok);
    objects.retire(w.slot(endpoint));
    REQUIRE(w.give(5, notification) == Status::ok);
    CHECK(w.restarts == 1);
    CHECK(w.other->lookup<Notification>(5, right::signal).ok());
}

TEST_CASE("who finds the mutation lock taken, or is being destroyed, comes again", "[cap][hypercall]") {
    Ipc w;
    const Arguments arguments{{handle::other, 5, endpoint, 0, 0}, 0, 0, 0};
    const Target target = fake::pass_gate(*w.root, handle::other, static_cast<uint64_t>(Hypercall::delegate)).value();
    const auto delegate = [&] { return mutate(hypercall::delegate, w.core, *w.self, arguments, target); };
    mutation = true;
    CHECK(delegate() == restart);
    mutation = false;
    objects.at(w.root->object_index).dying = true;
    CHECK(delegate() == restart);
    CHECK_FALSE(mutation);
    objects.at(w.root->object_index).dying = false;
    CHECK(delegate() == Status::ok);
    CHECK_FALSE(mutation);
}

TEST_CASE("whose target is gone when its turn comes, comes again, and finds it stale", "[cap][hypercall]") {
    Ipc w;
    const Arguments arguments{{handle::other, 5, endpoint, 0, 0}, 0, 0, 0};
    const Target target = fake::pass_gate(*w.root, handle::other, static_cast<uint64_t>(Hypercall::delegate)).value();
    Slot& other = w.slot(handle::other);
    SECTION("destroyed") { objects.retire(other); }
    SECTION("dropped") { clear_slot(*w.root, w.root->table[handle::other]); }
    CHECK(mutate(hypercall::delegate, w.core, *w.self, arguments, target) == restart);
    CHECK_FALSE(mutation);
    CHECK_FALSE(other.partition->table[5].object);
    CHECK(w.call(Hypercall::delegate, {handle::other, 5, endpoint, 0, 0}) == Status::bad_handle);
}
