// SPDX-License-Identifier: MIT
// destroy: stale at once, pages back zeroed, everything that an object held let go; interrupted at every point.
#include "world.hpp"
#include <set>

using namespace bulkhead;
using namespace bulkhead::test;
namespace right = abi::right;
using hw::Op;

namespace {
constexpr uint64_t at = 0x4000'0000, none = ~0ull, native = 0;
constexpr uint64_t memory = 30, partition = 40, endpoint = 45, notification = 46;
constexpr uint64_t vcpu_memory(uint64_t n) { return 31 + n; }
constexpr uint64_t vcpu(uint64_t n) { return 41 + n; }

/// A partition made at run time, with two vCPUs on two cores; the second one serves.
struct Made : World {
    Made() {
        REQUIRE(piece(memory, 0, 16 * pages) == Status::ok);
        REQUIRE(call(Hypercall::create, {2, memory, partition, native, 100, handle::bell}) == Status::ok);
        for (uint64_t n = 0; n < 2; ++n) {
            REQUIRE(piece(vcpu_memory(n), (16 + n) * pages, pages) == Status::ok);
            REQUIRE(call(Hypercall::create, {3, vcpu_memory(n), vcpu(n), partition, n, n, 10}) == Status::ok);
        }
        REQUIRE(call(Hypercall::create, {4, none, endpoint, 0}) == Status::ok);
        REQUIRE(call(Hypercall::bind, {endpoint, vcpu(1)}) == Status::ok);
        REQUIRE(call(Hypercall::create, {5, none, notification, vcpu(1)}) == Status::ok);
        REQUIRE(call(Hypercall::map, {partition, handle::ram, at, rw}) == Status::ok);
        hw::log.clear();
    }
    bool zeroed(uint64_t first, uint64_t count) {
        const auto* bytes = hw::pointer<uint8_t>(donatable + first * pages);
        return std::all_of(bytes, bytes + count * pages, [](uint8_t byte) { return byte == 0; });
    }
    bool at_el2(uint64_t page) {
        const uint64_t address = donatable.value + page * pages;
        auto* table = reinterpret_cast<const uint64_t*>(el2_map::root());
        for (unsigned shift : {30, 21}) { table = hw::pointer<uint64_t>({table[address >> shift & 511] & ~page_mask}); }
        return table[address >> 12 & 511] & 1;
    }
    void check_gone() {
        CHECK_FALSE(alive(partition));
        CHECK_FALSE(alive(vcpu(0)));
        CHECK_FALSE(alive(vcpu(1)));
        CHECK(zeroed(0, 18));
        for (uint64_t n = 0; n < 18; ++n) { CHECK_FALSE(at_el2(n)); }
        CHECK(slot(endpoint).endpoint.server[1] == nullptr);
        CHECK(slot(notification).notification.target == nullptr);
        CHECK(objects.at(6).memory.donated_below == 0);
    }
};
} // namespace

TEST_CASE("a destroyed partition takes its vCPUs along and gives all pages back zeroed", "[objects][hypercall]") {
    Made w;
    w.interrupt_always(GENERATE(false, true));
    fake::stop_delay = GENERATE(0u, 3u);
    fake::quiescence_delay = GENERATE(0u, 2u);
    const uint32_t quota = w.root->object_quota;
    const uint64_t vttbr = w.slot(partition).partition->stage2.vttbr();
    REQUIRE(w.call(Hypercall::destroy, {partition}) == Status::ok);
    w.check_gone();
    CHECK(w.root->object_quota == quota + 3);
    CHECK(w.memory_at(memory).state == Memory::State::free);
    CHECK(w.memory_at(vcpu_memory(1)).state == Memory::State::free);
    CHECK(std::count(hw::log.begin(), hw::log.end(), hw::Event{Op::tlbi_vmid, 0, 0, vttbr}) >= 1);
    CHECK(free_vmid() == 3);
    CHECK(w.call(Hypercall::destroy, {partition}) == Status::bad_handle);
    CHECK(w.call(Hypercall::destroy, {vcpu(0)}) == Status::bad_handle);
    CHECK(w.call(Hypercall::map, {handle::other, handle::ram, at, rw}) == Status::ok);
    CHECK(w.call(Hypercall::map, {handle::other, memory, 2 * at, rw}) == Status::ok);
}

TEST_CASE("what another core asked a vCPU for is done before its page goes", "[objects][hypercall]") {
    Made w;
    fake::late_requests = 3;
    REQUIRE(w.call(Hypercall::destroy, {vcpu(0)}) == Status::ok);
    CHECK(fake::late_requests == 0);
    CHECK(w.restarts >= 3);
}

TEST_CASE("it is stale from the first step on", "[objects][hypercall]") {
    Made w;
    fake::stop_delay = 1000;
    REQUIRE(w.once(Hypercall::destroy, {partition}) == restart);
    CHECK_FALSE(w.alive(partition));
    CHECK_FALSE(w.alive(vcpu(0)));
    CHECK_FALSE(w.alive(vcpu(1)));
    CHECK(w.call(Hypercall::delegate, {partition, 1, endpoint, 0, 0}) == Status::bad_handle);
    CHECK(w.call(Hypercall::bind, {endpoint, vcpu(0)}) == Status::bad_handle);
    REQUIRE(w.piece(60, 20 * pages, pages) == Status::ok);
    CHECK(w.call(Hypercall::create, {3, 60, 61, partition, 5, 0, 1}) == Status::bad_handle);
    // both were asked at once, and nothing is reused before they stopped
    CHECK(std::set(fake::asked_to_stop.begin(), fake::asked_to_stop.end()).size() == 2);
    CHECK(w.once(Hypercall::map, {handle::other, handle::ram, at, rw}) == restart);
    CHECK(w.once(Hypercall::unmap, {memory}) == Status::bad_state);
    CHECK(translate(w.other->stage2, {at}) == ~0ull);
    fake::stop_delay = 0;
    CHECK(w.call(Hypercall::map, {handle::other, handle::ram, at, rw}) == Status::ok); // finishes the destruction first
    w.check_gone();
}

TEST_CASE("pages are zero before they leave EL2, and only then free", "[objects][hypercall]") {
    Made w;
    w.interrupt_always(true);
    fake::quiescence_delay = 1;
    unsigned steps = 0;
    while (w.once(Hypercall::destroy, {partition}) == restart) {
        for (uint64_t n = 0; n < 18; ++n) {
            if (!w.at_el2(n)) { REQUIRE(w.zeroed(n, 1)); }
        }
        REQUIRE(++steps < 1000);
    }
    CHECK(steps > 18);
    w.check_gone();
}

TEST_CASE("nothing of a vCPU is touched while a core may hold it", "[objects][hypercall]") {
    Made w;
    Vcpu& target = *w.slot(vcpu(1)).vcpu;
    fake::quiescence_delay = 5;
    REQUIRE(w.once(Hypercall::destroy, {vcpu(1)}) == restart);
    CHECK(target.partition != nullptr);
    REQUIRE(w.call(Hypercall::destroy, {vcpu(1)}) == Status::ok);
    CHECK(w.restarts >= 4);
    CHECK(w.zeroed(17, 1));
    CHECK(w.slot(partition).partition->vcpus[1] == nullptr);
    CHECK(w.alive(vcpu(0)));
    CHECK(w.slot(endpoint).endpoint.server[1] == nullptr);
    REQUIRE(w.call(Hypercall::create, {3, vcpu_memory(1), 60, partition, 1, 0, 10}) == Status::ok);
    CHECK(w.call(Hypercall::bind, {endpoint, 60}) == Status::ok);
}

TEST_CASE("a new vCPU in the same place does not meet the old one's translations", "[objects][hypercall]") {
    Made w;
    Partition& of = *w.slot(partition).partition;
    of.last_vcpu[1] = w.slot(vcpu(1)).vcpu;
    REQUIRE(w.call(Hypercall::destroy, {vcpu(1)}) == Status::ok);
    CHECK(of.last_vcpu[1] == nullptr);
    CHECK(std::count(hw::log.begin(), hw::log.end(), hw::Event{Op::tlbi_vmid, 0, 0, of.stage2.vttbr()}) == 1);
}

TEST_CASE("nobody destroys the ground on which it stands", "[objects][hypercall]") {
    Made w;
    CHECK(w.call(Hypercall::destroy, {handle::self}) == Status::bad_state);
    CHECK(w.call(Hypercall::destroy, {handle::caller}) == Status::bad_state);
    CHECK(w.alive(handle::self));
    CHECK(w.alive(handle::caller));
    w.self->partition = w.slot(partition).partition; // as if the caller lived in it
    fill_slot(w.self->partition->table[5], objects.ref(6), right::all, 0);
    CHECK(w.call(Hypercall::revoke, {5}) == Status::bad_state);
    CHECK(w.alive(partition));
}

TEST_CASE("destroy needs its right, and an object that can be destroyed", "[objects][hypercall]") {
    Made w;
    w.root->table[partition].rights = right::all & ~right::destroy;
    CHECK(w.call(Hypercall::destroy, {partition}) == Status::no_right);
    CHECK(w.alive(partition));
    CHECK(w.call(Hypercall::destroy, {0}) == Status::bad_handle);
    CHECK(w.call(Hypercall::destroy, {512}) == Status::bad_handle);
    CHECK(w.call(Hypercall::destroy, {handle::ram}) == Status::bad_state);
    objects.publish(objects.take_at(100, ObjectType::interrupt));
    w.grant(100, 100);
    CHECK(w.call(Hypercall::destroy, {100}) == Status::bad_state);
}

TEST_CASE("revoking donated memory destroys what lives in it", "[objects][hypercall]") {
    Made w;
    w.interrupt_always(GENERATE(false, true));
    fake::stop_delay = 2;
    fake::quiescence_delay = 2;
    REQUIRE(w.call(Hypercall::revoke, {handle::donatable}) == Status::ok);
    CHECK_FALSE(w.alive(memory));
    CHECK_FALSE(w.alive(vcpu_memory(0)));
    w.check_gone();
    CHECK(w.call(Hypercall::map, {handle::self, handle::donatable, at, rw}) == Status::ok);
}

TEST_CASE("whoever comes next finishes a destruction that was left in the middle", "[objects][hypercall]") {
    Made w;
    w.interrupt_always(true);
    const unsigned steps = GENERATE(range(1u, 40u, 3u));
    for (unsigned n = 0; n < steps; ++n) {
        if (w.once(Hypercall::destroy, {partition}) != restart) { return; }
    }
    SECTION("by destroying it again, with another capability") {
        w.root->table[60] = w.root->table[partition];
        CHECK(w.call(Hypercall::destroy, {60}) == Status::ok);
    }
    SECTION("by revoking the memory") {
        CHECK(w.call(Hypercall::revoke, {handle::donatable}) == Status::ok);
        CHECK_FALSE(w.alive(memory));
    }
    w.check_gone();
    CHECK(w.call(Hypercall::destroy, {partition}) == Status::bad_handle);
}

TEST_CASE("a VM's physical interrupts are let go when no core can raise one for it any more", "[objects][hypercall]") {
    constexpr uint64_t vm = 1;
    World w; // with a vCPU, whose end is waited for, it would be so in any case
    REQUIRE(w.piece(memory, 0, 16 * pages) == Status::ok);
    REQUIRE(w.call(Hypercall::create, {2, memory, partition, vm, 100, handle::bell}) == Status::ok);
    fake::quiescence_delay = 2;
    REQUIRE(w.call(Hypercall::destroy, {partition}) == Status::ok);
    CHECK(fake::early_releases == 0);
    CHECK(fake::releases == 1);
}

TEST_CASE("endpoints and notifications that a partition made go with it", "[objects][hypercall]") {
    Made w;
    Partition& of = *w.slot(partition).partition;
    of.object_quota = 10;
    w.self = w.slot(vcpu(0)).vcpu; // the new partition calls
    REQUIRE(w.call(Hypercall::create, {4, none, 5, 0}) == Status::ok);
    w.self = w.root->vcpus[0];
    const ObjectRef name = of.table[5].object;
    REQUIRE(objects.find(name));
    REQUIRE(w.call(Hypercall::destroy, {partition}) == Status::ok);
    CHECK(objects.find(name) == nullptr);
    CHECK(fake::rechecks >= 1);
    CHECK(w.alive(endpoint)); // root made that one
}

TEST_CASE("a destroyed endpoint lets its callers go; a notification its vCPU", "[objects][hypercall]") {
    Made w;
    REQUIRE(w.call(Hypercall::destroy, {endpoint}) == Status::ok);
    CHECK(fake::rechecks >= 1);
    Vcpu& server = *w.slot(vcpu(1)).vcpu;
    Notification* const old = server.notification;
    REQUIRE(w.call(Hypercall::destroy, {notification}) == Status::ok);
    REQUIRE(server.notification != nullptr); // its core may just be reading it
    CHECK(server.notification != old);
    CHECK_FALSE(takes_signals(server));
}
