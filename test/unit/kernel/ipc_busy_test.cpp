// SPDX-License-Identifier: MIT
// Servers that are busy, lost, paused or gone: helping, chains, repeated delivery, signals between calls.
#include "machine.hpp"

namespace bulkhead::test {

namespace {

using abi::VcpuOperation;

/// A service in front of another one, a guest and a client that is less urgent, one that is more; and who controls them.
struct Chain : Machine {
    Vcpu& front = vcpu(native("front"), 0, 20);
    Vcpu& back = vcpu(native("back"), 0, 20);
    Vcpu& guest = vcpu(vm("guest"), 0, 10);
    Vcpu& low = vcpu(native("low"), 0, 10);
    Vcpu& high = vcpu(native("high"), 0, 30);
    ObjectRef front_door = endpoint({&front}), back_door = endpoint({&back});
    uint64_t front_to_back = grant(*front.partition, back_door, 1);
    uint64_t low_to_front = grant(*low.partition, front_door, 2);
    uint64_t high_to_front = grant(*high.partition, front_door, 3);
    uint64_t high_to_back = grant(*high.partition, back_door, 4);
    static constexpr uint64_t ipa = 0x0900'0000;

    Chain() {
        device(*guest.partition, ipa, front_door, 5);
        serve(back);
        serve(front);
    }
    Vcpu* run(Vcpu& vcpu) {
        start(vcpu);
        return go();
    }
    void stop(Vcpu& vcpu) { control(vcpu, request::stop); }
};

} // namespace

TEST_CASE("an urgent caller's time runs a server that is busy with another's request", "[ipc][helping]") {
    Chain m;
    REQUIRE(m.run(m.low) == &m.low);
    REQUIRE(m.call(m.low_to_front, 1) == &m.front);
    REQUIRE(m.run(m.high) == &m.high);
    REQUIRE(m.call(m.high_to_front, 2) == &m.front);
    CHECK(m.core().account == &m.high); // still at the first request
    REQUIRE(m.reply() == &m.front);
    CHECK(m.badge() == 3);
    CHECK(m.core().account == &m.high);
    REQUIRE(m.reply(9) == &m.high);
    CHECK(m.x(1) == 9);
    REQUIRE(m.wfi() == &m.high); // gives up its slice: nobody else is as urgent
    CHECK(m.low.state == VcpuState::ready);
}

TEST_CASE("a chain of calls runs on its first caller's time", "[ipc]") {
    Chain m;
    m.run(m.guest);
    REQUIRE(m.load(Chain::ipa, 7) == &m.front);
    REQUIRE(m.call(m.front_to_back, 4, 44) == &m.back);
    CHECK(m.core().account == &m.guest);
    CHECK(m.word(0) == 44);
    REQUIRE(m.reply(0, {55}) == &m.front);
    CHECK(m.x(2) == 55);
    REQUIRE(m.answer(Action::advance, {66}) == &m.guest);
    CHECK(m.x(7) == 66);
}

TEST_CASE("a call that would wait for its own caller is refused", "[ipc]") {
    Chain m;
    const uint64_t back_to_front = m.grant(*m.back.partition, m.front_door);
    const uint64_t back_to_back = m.grant(*m.back.partition, m.back_door);
    m.run(m.low);
    m.call(m.low_to_front);
    REQUIRE(m.call(m.front_to_back) == &m.back);
    CHECK((m.call(back_to_front), m.status()) == Status::cycle);
    CHECK((m.call(back_to_back), m.status()) == Status::cycle);
    CHECK(m.running() == &m.back);
}

TEST_CASE("servers that are made to wait for each other afterwards are told so", "[ipc]") {
    Chain m;
    Vcpu& boss = m.vcpu(m.native("boss"), 0, 40);
    const uint64_t boss_to_door = m.grant(*boss.partition, m.back_door), boss_to_high = m.grant(*boss.partition, m.name_of(m.high));
    m.control(m.back, request::pause);
    m.start(m.low);
    m.go();
    m.call(m.low_to_front);
    REQUIRE(m.call(m.front_to_back) == nullptr); // front waits for whoever serves there
    m.control(m.front, request::pause);
    objects.at(m.back_door.index()).endpoint.server[0] = nullptr; // as when back is destroyed
    recheck(m.core());
    m.run(m.high);
    REQUIRE(m.call(m.high_to_front) == nullptr);
    m.start(boss);
    REQUIRE(m.go() == &boss);
    m.hvc(Hypercall::bind, {boss_to_door, boss_to_high});
    CHECK(m.status() == Status::ok);
    m.reply();
    m.control(m.front, request::resume);
    const Vcpu& told = *m.running();
    CHECK((&told == &m.front || &told == &m.high));
    CHECK(m.status() == Status::cycle);
    m.start(boss); // and nobody who comes later gets lost in it
    REQUIRE(m.go() == &boss);
    const uint64_t boss_to_front = m.grant(*boss.partition, m.front_door);
    m.call(boss_to_front);
    CHECK(m.running() != nullptr);
}

TEST_CASE("a chain has max_call_depth calls, the first caller not counted", "[ipc]") {
    Machine m;
    Vcpu* servers[10];
    uint64_t handle[10]{};
    for (auto& server : servers) { m.serve(*(server = &m.vcpu(m.native("server"), 0, 20))); }
    for (unsigned n = 0; n < 9; ++n) { handle[n] = m.grant(*servers[n]->partition, m.endpoint({servers[n + 1]})); }
    Vcpu& client = m.vcpu(m.native("client"));
    const uint64_t first = m.grant(*client.partition, m.endpoint({servers[0]}));
    m.start(client);
    REQUIRE(m.go() == &client);
    REQUIRE(m.call(first) == servers[0]);
    for (unsigned n = 0; n + 1 < abi::max_call_depth; ++n) { REQUIRE(m.call(handle[n]) == servers[n + 1]); }
    CHECK(m.call(handle[abi::max_call_depth - 1]) == servers[abi::max_call_depth - 1]);
    CHECK(m.status() == Status::cycle);
}

TEST_CASE("when a server is lost, a native caller is told at once", "[ipc][lost]") {
    Chain m;
    m.run(m.low);
    m.call(m.low_to_front);
    m.stop(m.front);
    REQUIRE(m.running() == &m.low);
    CHECK(m.status() == Status::server_fault);
    CHECK((m.call(m.low_to_front), m.status()) == Status::server_fault);
}

TEST_CASE("when a server is lost, a guest's access waits and is delivered again, marked", "[ipc][lost]") {
    Chain m;
    m.run(m.guest);
    REQUIRE(m.store(Chain::ipa, 3) == &m.front);
    CHECK_FALSE(m.tag().repeated());
    const uint64_t sequence = m.sequence();
    m.stop(m.front);
    CHECK(m.running() == nullptr);
    CHECK(m.guest.parked);
    REQUIRE(m.control(m.front, request::start) == &m.front);
    REQUIRE(m.reply() == &m.front);
    CHECK(m.tag().repeated());
    CHECK(m.tag().kind() == Kind::mmio_write);
    CHECK(m.sequence() == sequence);
    REQUIRE(m.answer(Action::advance) == &m.guest);
    m.store(Chain::ipa, 3);
    CHECK_FALSE(m.tag().repeated());
    CHECK(m.sequence() == sequence + 1);
}

TEST_CASE("a vCPU that its service turned off starts from reset state", "[ipc][lost]") {
    Chain m;
    m.trap(*m.guest.partition, abi::Trap::smccc, m.front_door, 6);
    m.run(m.guest);
    m.cpu().x[3] = 0x77;
    hw::in_hardware().lazy.mair_el1 = 0xff44;
    hw::in_hardware().eager.vbar_el1 = 0x8000;
    REQUIRE(m.sync(ec::smc64 << 26 | il) == &m.front);
    CHECK(m.tag().kind() == Kind::smccc);
    CHECK(m.answer(Action::off) == nullptr);
    CHECK(m.guest.state == VcpuState::off);
    REQUIRE(m.control(m.guest, request::start) == &m.guest);
    CHECK(m.pc() == start_address);
    CHECK(m.x(3) == 0);
    CHECK(hw::in_hardware().lazy.mair_el1 == 0);
    CHECK(hw::in_hardware().eager.vbar_el1 == 0);
    CHECK(hw::in_hardware().eager.sctlr_el1 == native_sctlr);
}

TEST_CASE("a server in the middle of an abandoned request finishes, and its answer is dropped", "[ipc][lost]") {
    Chain m;
    m.run(m.low);
    m.call(m.low_to_front);
    m.stop(m.low);
    REQUIRE(m.running() == &m.front);
    CHECK(m.core().account == &m.front);
    CHECK(m.reply(1, {2}) == nullptr);
    CHECK(m.low.state == VcpuState::off);
}

TEST_CASE("a lost server's own request is dropped where it went", "[ipc][lost]") {
    Chain m;
    m.run(m.low);
    m.call(m.low_to_front);
    m.call(m.front_to_back);
    m.stop(m.front);
    CHECK(m.back.caller == nullptr);
    REQUIRE(m.running() == &m.back); // more urgent, on its own
    REQUIRE(m.reply() == &m.low);
    CHECK(m.status() == Status::server_fault);
}

TEST_CASE("callers of a paused server wait; when it is stopped then, they are told", "[ipc][lost]") {
    Chain m;
    m.run(m.low);
    m.call(m.low_to_front);
    m.control(m.front, request::pause);
    CHECK(m.running() == nullptr);
    SECTION("resumed") {
        m.control(m.front, request::resume);
        REQUIRE(m.running() == &m.front);
        CHECK(m.badge() == 2);
        CHECK(m.reply() == &m.low);
        CHECK(m.status() == Status::ok);
    }
    SECTION("stopped") {
        m.stop(m.front);
        REQUIRE(m.running() == &m.low);
        CHECK(m.status() == Status::server_fault);
    }
}

TEST_CASE("a server behind a paused one goes on by itself", "[ipc][lost]") {
    Chain m;
    m.run(m.low);
    m.call(m.low_to_front);
    m.call(m.front_to_back);
    m.control(m.front, request::pause);
    REQUIRE(m.running() == &m.back);
    CHECK(m.core().account == &m.back);
    CHECK(m.reply() == nullptr);
    m.control(m.front, request::resume);
    CHECK(m.running() == &m.front);
}

TEST_CASE("a server that waits for another one goes on when it is resumed, although its caller is paused", "[ipc][lost]") {
    Chain m;
    m.run(m.low);
    REQUIRE(m.call(m.low_to_front) == &m.front);
    m.control(m.low, request::pause);
    m.control(m.back, request::pause);
    REQUIRE(m.running() == &m.front);
    REQUIRE(m.call(m.front_to_back) == nullptr);
    m.control(m.front, request::pause);
    m.control(m.front, request::resume);
    REQUIRE(m.control(m.back, request::resume) == &m.back);
    REQUIRE(m.reply() == &m.front);
}

TEST_CASE("an endpoint is gone: its waiting callers learn it", "[ipc][lost]") {
    Chain m;
    m.start(m.guest);
    m.start(m.low);
    m.go();
    m.control(m.front, request::pause);
    while (m.running()) { m.running() == &m.low ? m.call(m.low_to_front) : m.load(Chain::ipa); }
    objects.retire(objects.at(m.front_door.index()));
    recheck(m.core());
    m.go();
    REQUIRE(m.running() == &m.low);
    CHECK(m.status() == Status::no_server);
    m.stop(m.low);
    CHECK(m.guest.state == VcpuState::faulted);
    CHECK(m.guest.fault.reason == FaultReason::no_endpoint);
    CHECK(m.guest.fault.detail[1] == Chain::ipa);
}

TEST_CASE("signals are taken before the next call, and one call between two of them", "[ipc][signals]") {
    Chain m;
    const ObjectRef bell = m.notification(m.front);
    auto ring = [&](uint64_t bits) { notify(m.core(), objects.at(bell.index()).notification, bits); };
    m.run(m.low);
    m.call(m.low_to_front, 1);
    ring(0x10);
    ring(0x01);
    REQUIRE(m.reply() == &m.front);
    CHECK(m.tag().kind() == Kind::signals);
    CHECK(m.word(0) == 0x11);
    CHECK(m.core().account == &m.front);
    CHECK(m.low.state == VcpuState::ready);
    ring(0x100); // busy: looked at when it answers
    m.run(m.high);
    REQUIRE(m.call(m.high_to_front, 2) == &m.front); // helped
    REQUIRE(m.reply() == &m.front);
    CHECK(m.tag().kind() == Kind::call); // signals wait: they had their turn
    CHECK(m.badge() == 3);
    REQUIRE(m.reply() == &m.high);
    m.stop(m.high);
    REQUIRE(m.running() == &m.front);
    CHECK(m.word(0) == 0x100);
}

TEST_CASE("a deadline is a message, once; a call before it goes first", "[ipc][deadline]") {
    Chain m;
    m.run(m.low);
    m.call(m.low_to_front);
    m.reply(0, {}, hw::counter + 100);
    REQUIRE(m.running() == &m.low);
    m.pass(50);
    REQUIRE(m.call(m.low_to_front) == &m.front);
    CHECK(m.tag().kind() == Kind::call);
    m.reply(0, {}, hw::counter + 100);
    m.pass(99);
    REQUIRE(m.running() == &m.low);
    m.pass(1);
    REQUIRE(m.running() == &m.front);
    CHECK(m.tag().kind() == Kind::deadline);
    CHECK(m.sequence() == 0);
    REQUIRE(m.reply() == &m.low);
    m.pass(10'000);
    CHECK(m.running() == &m.low);
}

} // namespace bulkhead::test
