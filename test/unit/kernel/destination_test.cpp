// SPDX-License-Identifier: MIT
// Where a vCPU's traps go is remembered, until something on the way changes.
#include "machine.hpp"

namespace bulkhead::test {

namespace {

constexpr uint64_t device_ipa = 0x0900'0000;
constexpr uint64_t cntp_ctl_read = ec::msr << 26 | il | 3u << 20 | 1u << 17 | 3u << 14 | 14u << 10 | 2u << 1 | 1;

/// A guest, and two services that wait; its device page and its traps lead to the first one.
struct Ways : Machine {
    explicit Ways(unsigned cores = 1) : Machine(cores) {
        device(*guest.partition, device_ipa, door, 99);
        for (const Trap trap : {Trap::smccc, Trap::timer}) { this->trap(*guest.partition, trap, door, 1); }
        serve(server);
        serve(second);
    }
    using Trap = abi::Trap;
    Vcpu& server = vcpu(native("service"), 0, 20);
    Vcpu& second = vcpu(native("second"), 0, 20);
    Vcpu& guest = vcpu(vm("guest"));
    ObjectRef door = endpoint({&server}), elsewhere = endpoint({&second});

    template <class Access> void goes_to(Vcpu& wanted, Access access) {
        REQUIRE(access() == &wanted);
        REQUIRE(answer(Action::advance) == &guest);
    }
    Vcpu* firmware() { return sync(ec::hvc64 << 26 | il); }
    Vcpu* timer() { return sync(cntp_ctl_read); }
};

} // namespace

TEST_CASE("a way that was taken before leads elsewhere as soon as something on it has changed", "[routing]") {
    Ways m;
    m.start(m.guest);
    REQUIRE(m.go() == &m.guest);
    const auto load = [&] { return m.load(device_ipa); };
    const auto firmware = [&] { return m.firmware(); };
    const auto timer = [&] { return m.timer(); };
    for (unsigned n = 0; n < 2; ++n) { m.goes_to(m.server, load), m.goes_to(m.server, firmware), m.goes_to(m.server, timer); }
    SECTION("another page") {
        m.device(*m.guest.partition, device_ipa + page_size, m.elsewhere, 1);
        m.goes_to(m.second, [&] { return m.load(device_ipa + page_size); });
        m.goes_to(m.server, load);
    }
    SECTION("a page that is no device's any more") {
        REQUIRE(m.guest.partition->stage2.set_device({device_ipa}, 1, {}).ok());
        Destination::forget_all();
        load();
        CHECK(m.guest.state == VcpuState::faulted);
    }
    SECTION("a route") {
        m.trap(*m.guest.partition, abi::Trap::smccc, m.elsewhere, 1);
        m.trap(*m.guest.partition, abi::Trap::timer, m.elsewhere, 1);
        Destination::forget_all();
        m.goes_to(m.second, firmware), m.goes_to(m.second, timer), m.goes_to(m.server, load);
    }
    SECTION("the endpoint is gone") {
        objects.retire(objects.at(m.door.index()));
        recheck(m.core());
        load();
        CHECK(m.guest.state == VcpuState::faulted);
        CHECK(m.guest.fault.reason == FaultReason::no_endpoint);
    }
}

TEST_CASE("a call that was made before is refused as soon as its capability or its endpoint is gone", "[routing][ipc]") {
    Ways m;
    Partition& program = m.native("program");
    Vcpu& client = m.vcpu(program);
    const uint64_t handle = m.grant(program, m.door, 7), other = m.grant(program, m.elsewhere, 8);
    const uint64_t self = m.grant(program, objects.ref(program.object_index));
    m.start(client);
    REQUIRE(m.go() == &client);
    const auto reaches = [&](uint64_t which, Vcpu& server, uint64_t badge) {
        REQUIRE(m.call(which) == &server);
        CHECK(m.badge() == badge);
        REQUIRE(m.reply() == &client);
    };
    for (unsigned n = 0; n < 3; ++n) { reaches(handle, m.server, 7); }
    SECTION("dropped") {
        m.hvc(Hypercall::drop, {handle});
        CHECK((m.call(handle), m.status()) == Status::bad_handle);
        m.hvc(Hypercall::delegate, {self, handle, other, abi::right::call});
        reaches(handle, m.second, 8);
    }
    SECTION("destroyed") {
        objects.retire(objects.at(m.door.index()));
        recheck(m.core());
        CHECK((m.call(handle), m.status()) == Status::bad_handle);
    }
    SECTION("its server is stopped") {
        m.control(m.server, request::stop);
        CHECK((m.call(handle), m.status()) == Status::server_fault);
    }
    SECTION("another one") {
        reaches(other, m.second, 8);
        reaches(handle, m.server, 7);
        CHECK((m.call(0), m.status()) == Status::bad_handle);
        CHECK((m.call(other + 1), m.status()) == Status::bad_type);
    }
}

TEST_CASE("a native partition's stray access is its fault, whatever it has called", "[routing][ipc]") {
    Ways m;
    Partition& program = m.native("program");
    Vcpu& client = m.vcpu(program);
    uint64_t handle = 0;
    while (handle < 16) { handle = m.grant(program, m.door, 7); } // 16 is HPFAR_EL2 of the page at 0x1000
    m.start(client);
    REQUIRE(m.go() == &client);
    for (unsigned n = 0; n < 2; ++n) {
        REQUIRE(m.call(handle) == &m.server);
        REQUIRE(m.reply() == &client);
    }
    m.store(handle << 8 | 8, 3);
    CHECK(m.running() == nullptr);
    CHECK(client.state == VcpuState::faulted);
    CHECK(client.fault.reason == FaultReason::stage2);
}

TEST_CASE("a capability to anything but an endpoint can be dropped and no way is looked up again", "[routing][hypercall]") {
    Ways m;
    Partition& program = m.native("program");
    Vcpu& client = m.vcpu(program);
    const uint64_t door = m.grant(program, m.door), other = m.grant(program, m.name_of(client));
    m.start(client);
    REQUIRE(m.go() == &client);
    const uint64_t before = Destination::current();
    m.hvc(Hypercall::drop, {other});
    CHECK(Destination::current() == before);
    m.hvc(Hypercall::drop, {door});
    CHECK(Destination::current() > before);
}

TEST_CASE("every hypercall that can lead a trap elsewhere makes all vCPUs look again", "[routing][hypercall]") {
    Ways m(2);
    Partition& boss = m.native("boss");
    Vcpu& self = m.vcpu(boss, 0, 30);
    const ObjectRef empty = m.endpoint({});
    const uint64_t vm = m.grant(boss, objects.ref(m.guest.partition->object_index)), guest = m.grant(boss, m.name_of(m.guest));
    const uint64_t free = m.grant(boss, empty), server = m.grant(boss, m.name_of(m.second)), door = m.grant(boss, m.elsewhere);
    m.start(self);
    REQUIRE(m.go() == &self);
    const uint64_t before = Destination::current();
    SECTION("route") { m.hvc(Hypercall::route, {vm, static_cast<uint64_t>(abi::Trap::timer), door, 1}); }
    SECTION("map_device") { m.hvc(Hypercall::map_device, {vm, device_ipa + page_size, 1, door, 1}); }
    SECTION("map_device that takes a page away") { m.hvc(Hypercall::map_device, {vm, device_ipa, 1, ~0ull}); }
    SECTION("bind") { m.hvc(Hypercall::bind, {free, server}); }
    SECTION("move") { m.hvc(Hypercall::vcpu_control, {guest, static_cast<uint64_t>(abi::VcpuOperation::move), 1}); }
    SECTION("inject_serror") {
        m.hvc(Hypercall::vcpu_control, {guest, static_cast<uint64_t>(abi::VcpuOperation::inject_serror), 0});
    }
    REQUIRE(m.running() == &self);
    CHECK(m.status() == Status::ok);
    CHECK(Destination::current() > before);
}

} // namespace bulkhead::test
