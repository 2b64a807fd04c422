// SPDX-License-Identifier: MIT
// Requests and answers between one client, or one guest, and a server that waits.
#include "machine.hpp"

namespace bulkhead::test {

namespace {

/// A guest with a device page, a native client, and the service of both.
struct Serving : Machine {
    Vcpu& server = vcpu(native("service"), 0, 20);
    Vcpu& guest = vcpu(vm("guest"));
    Vcpu& client = vcpu(native("client"));
    ObjectRef door = endpoint({&server});
    uint64_t handle = grant(*client.partition, door, 77);
    static constexpr uint64_t device_ipa = 0x0900'0000;

    Serving() {
        device(*guest.partition, device_ipa, door, 5);
        serve(server);
    }
    void run(Vcpu& vcpu) {
        start(vcpu);
        REQUIRE(go() == &vcpu);
    }
};

} // namespace

TEST_CASE("a call reaches the server that waits at once, and its answer the caller", "[ipc]") {
    Serving m;
    m.run(m.client);
    const uint64_t before = m.pc();
    REQUIRE(m.hvc(Hypercall::call, {m.handle, 0x1234, 1, 2, 3, 4, 5, 6}) == &m.server);
    CHECK(m.badge() == 77);
    CHECK(m.tag().kind() == Kind::call);
    CHECK(m.tag().label() == 0x1234);
    for (unsigned n = 0; n < 6; ++n) { CHECK(m.word(n) == n + 1); }
    CHECK(m.sequence() == 1);
    for (unsigned n = 9; n < 31; ++n) { CHECK((n == 19 || m.x(n) == 0)); }
    CHECK(m.core().account == &m.client);
    REQUIRE(m.reply(0x77, {6, 5, 4, 3, 2, 1}) == &m.client);
    CHECK(m.status() == Status::ok);
    CHECK(m.x(1) == 0x77);
    for (unsigned n = 0; n < 6; ++n) { CHECK(m.x(2 + n) == 6 - n); }
    CHECK(m.pc() == before + instruction);
}

TEST_CASE("a guest's load and store are one message each", "[ipc]") {
    Serving m;
    m.run(m.guest);
    const uint64_t before = m.pc();
    REQUIRE(m.load(Serving::device_ipa + 0x18, 3, 2) == &m.server);
    CHECK(m.badge() == 5);
    CHECK(m.tag().kind() == Kind::mmio_read);
    CHECK(m.tag().size() == 2);
    CHECK(m.word(0) == Serving::device_ipa + 0x18);
    CHECK(m.word(1) == 0);
    REQUIRE(m.answer(Action::advance, {0xabcd'1234}) == &m.guest);
    CHECK(m.x(3) == 0x1234);
    CHECK(m.pc() == before + instruction);
    m.cpu().x[4] = 0x1122'3344'5566'7788;
    REQUIRE(m.store(Serving::device_ipa + 8, 4, 4) == &m.server);
    CHECK(m.tag().kind() == Kind::mmio_write);
    CHECK(m.word(1) == 0x5566'7788);
    CHECK(m.sequence() == 2);
    REQUIRE(m.answer(Action::advance) == &m.guest);
    CHECK(m.x(4) == 0x1122'3344'5566'7788);
}

TEST_CASE("a call that cannot be made says why", "[ipc]") {
    Serving m;
    const uint64_t mute = m.grant(*m.client.partition, m.door, 0, abi::right::serve);
    const uint64_t other = m.grant(*m.client.partition, m.name_of(m.client));
    const uint64_t nobody = m.grant(*m.client.partition, m.endpoint({}));
    m.run(m.client);
    CHECK((m.call(99), m.status()) == Status::bad_handle);
    CHECK((m.call(0), m.status()) == Status::bad_handle);
    CHECK((m.call(mute), m.status()) == Status::no_right);
    CHECK((m.call(other), m.status()) == Status::bad_type);
    CHECK((m.call(nobody), m.status()) == Status::no_server);
    CHECK(m.running() == &m.client);
    CHECK(m.client.sequence == 0);
}

TEST_CASE("behind a message a server's registers hold nothing of others: zero, or what it had there itself", "[ipc]") {
    constexpr uint64_t own = 0x0123, secret = 0x5ec2e7;
    Serving m;
    m.run(m.client);
    m.call(m.handle, 1, 1);
    for (unsigned n = 20; n < 31; ++n) { m.cpu().x[n] = own; }
    m.hvc(Hypercall::signal, {99, 1}); // entry code has saved x9..x30
    m.reply();
    for (unsigned n = 9; n < 31; ++n) { m.cpu().x[n] = secret; }
    REQUIRE(m.call(m.handle) == &m.server);
    for (unsigned n = 9; n < 31; ++n) { CHECK((n == 19 || m.x(n) == 0 || m.x(n) == own)); }
}

} // namespace bulkhead::test
