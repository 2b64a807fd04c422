// SPDX-License-Identifier: MIT
// create and bind: what a donation must be, what is made of it, quotas.
#include "world.hpp"

using namespace bulkhead;
using namespace bulkhead::test;
namespace right = abi::right;
using abi::ObjectType;

namespace {
constexpr uint64_t at = 0x4000'0000, none = ~0ull;
constexpr uint64_t memory = 30, made = 40, vcpu_memory = 31, vcpu = 41;
constexpr uint64_t native = 0, vm = 1;

/// A partition's supervisor is the bell, unless x5 says another.
Status create(World& w, ObjectType type, uint64_t donated, uint64_t to, uint64_t x3 = 0, uint64_t x4 = 0, uint64_t x5 = 0,
              uint64_t x6 = 0) {
    if (type == ObjectType::partition && x5 == 0) { x5 = handle::bell; }
    return w.call(Hypercall::create, {static_cast<uint64_t>(type), donated, to, x3, x4, x5, x6});
}
bool at_el2(PhysAddr page) {
    auto* table = reinterpret_cast<const uint64_t*>(el2_map::root());
    for (unsigned shift : {30, 21}) { table = hw::pointer<uint64_t>({table[page.value >> shift & 511] & ~page_mask}); }
    return table[page.value >> 12 & 511] & 1;
}
} // namespace

TEST_CASE("a partition is made of donated pages", "[objects][hypercall]") {
    World w;
    w.interrupt_always(GENERATE(false, true));
    REQUIRE(w.piece(memory, 0, 16 * pages) == Status::ok);
    REQUIRE(w.call(Hypercall::map, {handle::self, memory, at, rw}) == Status::ok);
    const uint32_t quota = w.root->object_quota;
    REQUIRE(create(w, ObjectType::partition, memory, made, native, 100) == Status::ok);
    CHECK(translate(w.root->stage2, {at}) == ~0ull); // out of the donor's address space
    CHECK(w.memory_at(memory).state == Memory::State::donated);
    CHECK(w.root->object_quota == quota - 1);
    CHECK(w.root->table[made].rights == right::all);
    auto found = w.root->lookup<Partition>(made, right::create_vcpu);
    REQUIRE(found.ok());
    Partition& partition = found.value().as<Partition>();
    CHECK(hw::physical(&partition) == w.memory_at(memory).base);
    CHECK(partition.slots == 100);
    CHECK(partition.kind == abi::PartitionKind::native);
    CHECK(partition.object_index == objects.index(w.slot(made)));
    CHECK(partition.stage2.vmid() == 3);
    CHECK(std::string(partition.name) == "vmid-003");
    CHECK(partition.supervisor == w.root->table[handle::bell].object);
    CHECK(partition.object_quota == 0);
    CHECK(partition.stage2.pool().left() == 16 - 3); // itself, its table, the root
    for (unsigned n = 0; n < 100; ++n) { REQUIRE_FALSE(partition.table[n].object); }
    for (uint64_t n = 0; n < 16; ++n) { REQUIRE(at_el2(w.memory_at(memory).base + n * pages)); }
    CHECK_FALSE(at_el2(w.memory_at(memory).base + 16 * pages));
    REQUIRE(w.call(Hypercall::map, {made, handle::ram, at, rw}) == Status::ok);
    CHECK(translate(partition.stage2, {at}) == World::ram.value);
}

TEST_CASE("a VM has room for its virtual interrupts", "[objects][hypercall]") {
    World w;
    REQUIRE(w.piece(memory, 0, 5 * pages) == Status::ok);
    REQUIRE(create(w, ObjectType::partition, memory, made, vm, 100) == Status::ok);
    const auto found = w.root->lookup<Partition>(made, 0);
    CHECK(found.status() == Status::ok);
    CHECK(w.slot(made).partition->kind == abi::PartitionKind::vm);
    CHECK(w.slot(made).partition->interrupts != nullptr);
    CHECK(w.slot(made).partition->stage2.pool().left() == 1);
}

TEST_CASE("create refuses what cannot be made", "[objects][hypercall]") {
    World w;
    REQUIRE(w.piece(memory, 0, 16 * pages) == Status::ok);
    REQUIRE(w.piece(vcpu_memory, 16 * pages, 3 * pages) == Status::ok);
    CHECK(create(w, ObjectType::partition, memory, 0, native, 100) == Status::no_slot);
    CHECK(create(w, ObjectType::partition, memory, memory, native, 100) == Status::no_slot);
    CHECK(create(w, ObjectType::partition, memory, made, 2, 100) == Status::bad_argument);
    CHECK(create(w, ObjectType::partition, memory, made, native, 0) == Status::bad_argument);
    CHECK(create(w, ObjectType::partition, memory, made, native, 1025) == Status::bad_argument);
    CHECK(create(w, ObjectType::partition, vcpu_memory, made, native, 100) == Status::no_memory);
    CHECK(create(w, ObjectType::partition, none, made, native, 100) == Status::bad_handle);
    CHECK(create(w, ObjectType::partition, handle::self, made, native, 100) == Status::bad_type);
    CHECK(create(w, ObjectType::partition, handle::device, made, native, 100) == Status::bad_argument);
    CHECK(create(w, ObjectType::partition, handle::ram, made, native, 100) == Status::bad_argument);    // not donatable
    CHECK(create(w, ObjectType::partition, handle::donatable, made, native, 100) == Status::bad_state); // has children
    CHECK(w.call(Hypercall::create, {2, memory, made, native, 100}) == Status::bad_handle); // nobody would hear of its faults
    CHECK(create(w, ObjectType::partition, memory, made, native, 100, handle::ram) == Status::bad_type);
    CHECK(create(w, ObjectType::partition, memory, made, native, 100, handle::bell, 64) == Status::bad_argument);
    w.grant(handle::bell, 7, right::signal, 1ull << 5);
    CHECK(create(w, ObjectType::partition, memory, made, native, 100, handle::bell, 6) == Status::no_right);
    CHECK(create(w, ObjectType::none, memory, made) == Status::bad_argument);
    CHECK(create(w, ObjectType::memory, memory, made) == Status::bad_argument);
    CHECK(create(w, ObjectType::interrupt, memory, made) == Status::bad_argument);
    CHECK(w.call(Hypercall::create, {0x102, memory, made, native, 100}) == Status::bad_argument);
    CHECK(w.memory_at(memory).state == Memory::State::free);
    CHECK_FALSE(w.alive(made));
    w.root->object_quota = 0;
    CHECK(create(w, ObjectType::partition, memory, made, native, 100) == Status::no_slot);
}

TEST_CASE("when no VMID is left, nothing is donated for a partition", "[objects][hypercall]") {
    World w;
    REQUIRE(w.piece(memory, 0, 16 * pages) == Status::ok);
    REQUIRE(w.call(Hypercall::map, {handle::self, memory, at, rw}) == Status::ok);
    while (reserve_vmid(free_vmid())) {}
    CHECK(create(w, ObjectType::partition, memory, made, native, 1) == Status::no_slot);
    CHECK(w.memory_at(memory).state == Memory::State::mapped);
    CHECK(translate(w.root->stage2, {at}) != ~0ull);
    release_vmid(77);
    REQUIRE(create(w, ObjectType::partition, memory, made, native, 1) == Status::ok);
    CHECK(w.root->lookup<Partition>(made, 0).value().as<Partition>().stage2.vmid() == 77);
}

TEST_CASE("pages that somebody else can reach are not donated", "[objects][hypercall]") {
    World w;
    REQUIRE(w.piece(memory, 0, 16 * pages) == Status::ok);
    SECTION("what it is derived from is mapped") {
        REQUIRE(w.call(Hypercall::map, {handle::self, handle::donatable, at, rw}) == Status::ok);
        CHECK(create(w, ObjectType::partition, memory, made, native, 100) == Status::bad_state);
        REQUIRE(w.call(Hypercall::unmap, {handle::donatable}) == Status::ok);
        CHECK(create(w, ObjectType::partition, memory, made, native, 100) == Status::ok);
    }
    SECTION("another derivation overlaps") {
        REQUIRE(w.piece(vcpu_memory, 15 * pages, 2 * pages) == Status::ok);
        CHECK(create(w, ObjectType::partition, memory, made, native, 100) == Status::bad_state);
        REQUIRE(w.call(Hypercall::destroy, {vcpu_memory}) == Status::ok);
        CHECK(create(w, ObjectType::partition, memory, made, native, 100) == Status::ok);
    }
    SECTION("it has derivations itself") {
        REQUIRE(w.call(Hypercall::derive, {memory, 0, pages, vcpu_memory, right::all}) == Status::ok);
        CHECK(create(w, ObjectType::partition, memory, made, native, 100) == Status::bad_state);
    }
    SECTION("the capability does not allow it") {
        w.root->table[memory].rights = right::all & ~right::donate;
        CHECK(create(w, ObjectType::partition, memory, made, native, 100) == Status::no_right);
    }
}

TEST_CASE("nobody reaches donated pages again, by any way", "[objects][hypercall]") {
    World w;
    REQUIRE(w.piece(memory, 4 * pages, 16 * pages) == Status::ok);
    REQUIRE(create(w, ObjectType::partition, memory, made, native, 100) == Status::ok);
    CHECK(w.call(Hypercall::map, {handle::self, memory, at, rw}) == Status::bad_state);
    CHECK(w.call(Hypercall::unmap, {memory}) == Status::bad_state);
    CHECK(w.call(Hypercall::map, {handle::self, handle::donatable, at, rw}) == Status::bad_state);
    CHECK(w.call(Hypercall::derive, {memory, 0, pages, 50, right::all}) == Status::bad_state);
    CHECK(w.piece(50, 19 * pages, 2 * pages) == Status::bad_state);
    CHECK(w.piece(50, 0, 5 * pages) == Status::bad_state);
    CHECK(w.piece(50, 0, 4 * pages) == Status::ok);
    CHECK(w.piece(51, 20 * pages, 4 * pages) == Status::ok);
    CHECK(create(w, ObjectType::partition, memory, 52, native, 100) == Status::bad_state);
}

TEST_CASE("a donation that is not finished is given back on the next use", "[objects][hypercall]") {
    World w;
    REQUIRE(w.piece(memory, 0, 16 * pages) == Status::ok);
    w.interrupt_always(true);
    for (unsigned n = 0; n < 5; ++n) {
        REQUIRE(w.once(Hypercall::create, {2, memory, made, native, 100, handle::bell}) == restart);
    }
    CHECK(w.memory_at(memory).state == Memory::State::donating);
    CHECK(at_el2(World::donatable));
    CHECK(w.piece(50, 0, pages) == Status::bad_state);
    SECTION("by map") { REQUIRE(w.call(Hypercall::map, {handle::self, memory, at, rw}) == Status::ok); }
    SECTION("by unmap") { REQUIRE(w.call(Hypercall::unmap, {memory}) == Status::ok); }
    SECTION("by revoke") { REQUIRE(w.call(Hypercall::revoke, {handle::donatable}) == Status::ok); }
    for (uint64_t n = 0; n < 16; ++n) { REQUIRE_FALSE(at_el2(World::donatable + n * pages)); }
    CHECK(objects.at(6).memory.donated_below == 0);
}

TEST_CASE("a vCPU lives in a donated page and belongs to its partition", "[objects][hypercall]") {
    World w;
    REQUIRE(w.piece(vcpu_memory, 0, pages) == Status::ok);
    CHECK(create(w, ObjectType::vcpu, vcpu_memory, vcpu, handle::other, 8, 0, 10) == Status::bad_argument);
    CHECK(create(w, ObjectType::vcpu, vcpu_memory, vcpu, handle::other, 0, core_count, 10) == Status::bad_argument);
    CHECK(create(w, ObjectType::vcpu, vcpu_memory, vcpu, handle::other, 0, 0, 64) == Status::bad_argument);
    CHECK(create(w, ObjectType::vcpu, vcpu_memory, vcpu, handle::self, 0, 0, 10) == Status::no_slot); // index taken
    w.grant(50, 2, right::map_into);
    CHECK(create(w, ObjectType::vcpu, vcpu_memory, vcpu, 50, 0, 0, 10) == Status::no_right);
    REQUIRE(create(w, ObjectType::vcpu, vcpu_memory, vcpu, handle::other, 3, 1, 63) == Status::ok);
    const Vcpu& found = *w.slot(vcpu).vcpu;
    CHECK(hw::physical(&found) == World::donatable);
    CHECK(w.other->vcpus[3] == &found);
    CHECK(found.core == 1);
    CHECK(found.priority == 63);
    CHECK(found.partition == w.other);
    CHECK(found.object_index == objects.index(w.slot(vcpu)));
}

TEST_CASE("endpoints and notifications need no donation", "[objects][hypercall]") {
    World w;
    REQUIRE(create(w, ObjectType::endpoint, none, 50, 2000) == Status::ok);
    CHECK(w.slot(50).endpoint.max_ticks == 125'000); // at 62.5 MHz
    CHECK(create(w, ObjectType::endpoint, none, 51, 1ull << 32) == Status::bad_argument);
    REQUIRE(create(w, ObjectType::notification, none, 51, handle::caller) == Status::ok);
    CHECK(w.self->notification == &w.slot(51).notification);
    CHECK(w.slot(51).notification.target == w.self);
    CHECK(create(w, ObjectType::notification, none, 52, handle::caller) == Status::bad_state);
    CHECK(create(w, ObjectType::notification, none, 52, handle::ram) == Status::bad_type);
    w.grant(53, 3, right::inspect);
    CHECK(create(w, ObjectType::notification, none, 52, 53) == Status::no_right);
    REQUIRE(w.call(Hypercall::destroy, {51}) == Status::ok);
    CHECK(create(w, ObjectType::notification, none, 52, handle::caller) == Status::ok);
}

TEST_CASE("a server is bound on its own core, one per core", "[objects][hypercall]") {
    World w;
    REQUIRE(create(w, ObjectType::endpoint, none, 50, 0) == Status::ok);
    REQUIRE(w.call(Hypercall::bind, {50, handle::caller}) == Status::ok);
    CHECK(w.slot(50).endpoint.server[0] == w.self);
    CHECK(w.call(Hypercall::bind, {50, handle::caller}) == Status::ok);
    w.grant(51, 100);
    Vcpu& second = w.add_vcpu(100, *w.other, 0);
    w.grant(51, 100);
    CHECK(w.call(Hypercall::bind, {50, 51}) == Status::bad_state);
    second.core = 1;
    CHECK(w.call(Hypercall::bind, {50, 51}) == Status::ok);
    CHECK(w.slot(50).endpoint.server[1] == &second);
    second.native = false;
    CHECK(w.call(Hypercall::bind, {50, 51}) == Status::bad_argument);
    w.grant(52, 100, right::inspect);
    CHECK(w.call(Hypercall::bind, {50, 52}) == Status::no_right);
}

TEST_CASE("objects that were destroyed make room for others once they are out of use", "[objects][hypercall]") {
    World w;
    w.root->object_quota = 10'000;
    uint64_t last = 50;
    while (create(w, ObjectType::endpoint, none, last, 0) == Status::ok && last < 500) { ++last; }
    while (objects.take(ObjectType::endpoint)) {}
    CHECK(create(w, ObjectType::endpoint, none, 505, 0) == Status::no_slot);
    fake::quiescence_delay = 4;
    REQUIRE(w.call(Hypercall::destroy, {60}) == Status::ok);
    CHECK(create(w, ObjectType::endpoint, none, 505, 0) == Status::ok);
    CHECK(w.restarts >= 4);
    CHECK(create(w, ObjectType::endpoint, none, 506, 0) == Status::no_slot);
}
