// SPDX-License-Identifier: MIT
// vCPUs that somebody controls: stopped, started, paused, written to, moved to another core; and what their own core still holds then.
#include "hypercall/hypercall.hpp"
#include "irq/gic.hpp"
#include "irq/virtual.hpp"
#include "machine.hpp"

namespace bulkhead::test {

namespace {

/// Two cores, and one on the first that controls whoever is moved between them.
struct Moving : Machine {
    Vcpu& boss = vcpu(native("boss"), 0, 40);
    Vcpu& service = vcpu(native("service"));
    Vcpu& guest = vcpu(vm("guest"));
    uint64_t boss_to_service = grant(*boss.partition, name_of(service));
    uint64_t boss_to_guest = grant(*boss.partition, name_of(guest));

    Moving() : Machine(2) {}
    void control(uint64_t handle, abi::VcpuOperation operation, uint64_t argument = 0) {
        hvc(Hypercall::vcpu_control, {handle, static_cast<uint64_t>(operation), argument});
        settle();
        REQUIRE(status() == Status::ok);
    }
    /// boss moves it to the other core and waits.
    void move(uint64_t handle, unsigned target) {
        start(boss);
        REQUIRE(go() == &boss);
        control(handle, abi::VcpuOperation::pause);
        control(handle, abi::VcpuOperation::move, target);
        control(handle, abi::VcpuOperation::resume);
        reply();
        on(target);
    }
};

} // namespace

TEST_CASE("a service that works keeps its registers when it moves, whatever deadline is left", "[sched][move]") {
    Moving m;
    Slot& bell = objects.at(m.notification(m.service).index());
    m.serve(m.service, hw::counter + 100'000);
    notify(m.core(), bell.notification, 1);
    REQUIRE(m.go() == &m.service);
    CHECK(m.service.timer_armed());
    for (unsigned n = 0; n < 9; ++n) { m.cpu().x[n] = 100 + n; }
    m.move(m.boss_to_service, 1);
    m.settle();
    REQUIRE(m.running() == &m.service);
    for (unsigned n = 0; n < 9; ++n) { CHECK(m.x(n) == 100 + n); }
    CHECK_FALSE(m.service.timer_armed());
}

TEST_CASE("a service that waits until some time is told so when it moves", "[sched][move]") {
    Moving m;
    m.serve(m.service, hw::counter + 100'000);
    m.move(m.boss_to_service, 1);
    m.settle();
    REQUIRE(m.running() == &m.service);
    CHECK(m.tag().kind() == Kind::deadline);
}

TEST_CASE("a guest takes its FP and EL1 registers along", "[sched][move]") {
    Moving m;
    m.start(m.guest);
    REQUIRE(m.go() == &m.guest);
    m.sync(ec::fp << 26 | il);
    hw::in_hardware().fp.v[63] = 0xf9;
    hw::in_hardware().lazy.tcr_el1 = 0x7c4;
    m.move(m.boss_to_guest, 1);
    m.settle();
    REQUIRE(m.running() == &m.guest);
    CHECK(hw::in_hardware().lazy.tcr_el1 == 0x7c4);
    CHECK(Value<CptrEl2>{hw::in_hardware().controls.cptr}.get(CptrEl2::tfp) == 1);
    m.sync(ec::fp << 26 | il);
    CHECK(hw::in_hardware().fp.v[63] == 0xf9);
}

TEST_CASE("who is resumed by its own core stays there, whoever has asked it to leave; bound to an endpoint is who has left",
          "[sched][move]") {
    Moving m;
    Vcpu& second = m.vcpu(m.native("second"), 1, 40);
    Vcpu& guest = m.vcpu(m.vm("far"), 1);
    Vcpu& server = m.vcpu(m.native("server"), 1);
    const ObjectRef door = m.endpoint({});
    const auto move = static_cast<uint64_t>(abi::VcpuOperation::move);
    const uint64_t boss_to_guest = m.grant(*m.boss.partition, m.name_of(guest));
    const uint64_t boss_to_server = m.grant(*m.boss.partition, m.name_of(server));
    const uint64_t to_guest = m.grant(*second.partition, m.name_of(guest)), to_door = m.grant(*second.partition, door);
    const uint64_t to_server = m.grant(*second.partition, m.name_of(server));
    m.on(1);
    m.start(guest);
    REQUIRE(m.go() == &guest);
    m.on(0);
    m.start(m.boss);
    REQUIRE(m.go() == &m.boss);
    m.hvc(Hypercall::vcpu_control, {boss_to_guest, static_cast<uint64_t>(abi::VcpuOperation::pause)});
    m.settle();
    REQUIRE(guest.paused);
    m.on(1);
    m.start(second);
    REQUIRE(m.go() == &second);
    m.on(0);
    m.hvc(Hypercall::vcpu_control, {boss_to_guest, move, 0});
    m.hvc(Hypercall::vcpu_control, {boss_to_server, move, 0});
    m.on(1); // whose interrupt is pending, while it is at EL2 already
    m.hvc(Hypercall::vcpu_control, {to_guest, static_cast<uint64_t>(abi::VcpuOperation::resume)});
    CHECK(m.status() == Status::ok);
    const uint64_t at = m.pc();
    m.hvc(Hypercall::bind, {to_door, to_server});
    CHECK(m.pc() == at); // it will be done again
    CHECK_FALSE(server.serves);
    m.settle();
    CHECK((guest.core == 1 && server.core == 0));
    m.on(1);
    m.hvc(Hypercall::bind, {to_door, to_server});
    CHECK(m.status() == Status::ok);
    CHECK(objects.at(door.index()).endpoint.server[0] == &server);
    m.reply();
    CHECK(m.running() == &guest);
    m.on(0);
    CHECK((m.hvc(Hypercall::vcpu_control, {boss_to_guest, move, 0}), m.status()) == Status::bad_state);
}

TEST_CASE("who has an open call by the time its core looks at it stays there", "[sched][move]") {
    Moving m;
    Vcpu& second = m.vcpu(m.native("second"), 1, 40);
    Vcpu &client = m.vcpu(m.native("client"), 1, 30), &server = m.vcpu(m.native("server"), 1, 30);
    const uint64_t boss_to_client = m.grant(*m.boss.partition, m.name_of(client));
    const uint64_t to_client = m.grant(*second.partition, m.name_of(client));
    const uint64_t door = m.grant(*client.partition, m.endpoint({&server}));
    const auto control = [&](uint64_t handle, abi::VcpuOperation operation) {
        return m.hvc(Hypercall::vcpu_control, {handle, static_cast<uint64_t>(operation), 0});
    };
    m.on(1);
    m.serve(server);
    m.start(client);
    REQUIRE(m.go() == &client);
    m.on(0);
    m.start(m.boss);
    REQUIRE(m.go() == &m.boss);
    control(boss_to_client, abi::VcpuOperation::pause);
    m.settle();
    control(boss_to_client, abi::VcpuOperation::move); // its core's interrupt takes its time
    m.on(1);
    m.start(second);
    REQUIRE(m.go() == &second);
    control(to_client, abi::VcpuOperation::resume);
    REQUIRE(m.reply() == &client);
    REQUIRE(m.call(door) == &server);
    m.start(second);
    REQUIRE(m.go() == &second);
    control(to_client, abi::VcpuOperation::pause);
    m.settle();
    CHECK(client.paused);
    CHECK(client.core == 1);
}

TEST_CASE("who has an open call stays where it is", "[sched][move]") {
    Moving m;
    Vcpu& server = m.vcpu(m.native("server"), 0, 20);
    m.device(*m.guest.partition, 0x0900'0000, m.endpoint({&server}), 1);
    m.start(m.guest);
    if (GENERATE(false, true)) {
        m.serve(server); // it has the request
        REQUIRE(m.go() == &m.guest);
        REQUIRE(m.load(0x0900'0000) == &server);
    } else {
        REQUIRE(m.go() == &m.guest);
        REQUIRE(m.load(0x0900'0000) == nullptr); // nobody is there yet to take it
    }
    m.start(m.boss);
    REQUIRE(m.go() == &m.boss);
    m.control(m.boss_to_guest, abi::VcpuOperation::pause);
    m.hvc(Hypercall::vcpu_control, {m.boss_to_guest, static_cast<uint64_t>(abi::VcpuOperation::move), 1});
    CHECK(m.status() == Status::bad_state);
    CHECK(m.guest.core == 0);
}

TEST_CASE("the registers of a guest that is paused or has faulted can be read", "[switching][hypercall]") {
    Moving m;
    m.start(m.guest);
    REQUIRE(m.go() == &m.guest);
    hw::in_hardware().sp_el0 = 0x5e10, hw::in_hardware().lazy.sp_el1 = 0x5e11;
    if (GENERATE(false, true)) {
        m.load(0x5000); // nothing is there
        REQUIRE(m.guest.state == VcpuState::faulted);
        m.start(m.boss);
        REQUIRE(m.go() == &m.boss);
    } else {
        m.start(m.boss);
        REQUIRE(m.go() == &m.boss);
        m.control(m.boss_to_guest, abi::VcpuOperation::pause);
    }
    m.hvc(Hypercall::vcpu_read, {m.boss_to_guest, static_cast<uint64_t>(abi::VcpuGroup::pc)});
    CHECK(m.status() == Status::ok);
    CHECK((m.x(3) == 0x5e10 && m.x(4) == 0x5e11));
}

TEST_CASE("who is off is in no core's hardware", "[switching]") {
    constexpr uint64_t nothing_there = 0x5000;
    Moving m;
    Vcpu& far = m.vcpu(m.vm("far"), 1);
    const uint64_t boss_to_far = m.grant(*m.boss.partition, m.name_of(far));
    m.on(1);
    m.start(far);
    REQUIRE(m.go() == &far);
    m.sync(ec::fp << 26 | il);
    const bool faults = GENERATE(false, true); // then they can be read already
    if (faults) { m.load(nothing_there); }
    Vcpu* const there = faults ? nullptr : &far;
    REQUIRE((m.core().resident == there && m.core().fp_owner == there));
    m.on(0);
    m.start(m.boss);
    REQUIRE(m.go() == &m.boss);
    m.hvc(Hypercall::vcpu_control, {boss_to_far, static_cast<uint64_t>(abi::VcpuOperation::stop)});
    CHECK(far.state != VcpuState::off); // the other core has yet to do it
    m.settle();
    m.on(0);
    m.control(boss_to_far, abi::VcpuOperation::stop);
    CHECK(far.state == VcpuState::off);
    CHECK(cores[1]->resident == nullptr);
    CHECK(cores[1]->fp_owner == nullptr);
}

TEST_CASE("who turns itself off stays on its core until that has left EL2", "[sched][move]") {
    Moving m;
    Vcpu& far = m.vcpu(m.native("far"), 1, 40);
    const uint64_t far_to_guest = m.grant(*far.partition, m.name_of(m.guest));
    const auto move = static_cast<uint64_t>(abi::VcpuOperation::move);
    m.trap(*m.guest.partition, abi::Trap::smccc, m.endpoint({&m.service}), 1);
    m.serve(m.service);
    m.start(m.guest);
    REQUIRE(m.go() == &m.guest);
    REQUIRE(m.sync(ec::smc64 << 26 | il) == &m.service);
    SpinLock& lock = m.guest.partition->interrupts->lock; // somebody holds it, so that the guest's core waits
    lock.lock();
    hw::meanwhile = [&] {
        lock.unlock();
        REQUIRE(m.guest.state == VcpuState::off);
        m.on(1);
        const Target target = far.partition->find(far_to_guest, ObjectType::vcpu, abi::right::control).value();
        Arguments arguments{};
        arguments.x[1] = move, arguments.x[2] = 1;
        CHECK(mutate(hypercall::vcpu_control, m.core(), far, arguments, target) == restart);
        CHECK(m.guest.core == 0);
        m.on(0);
    };
    CHECK(m.answer(Action::off) == nullptr);
    m.on(1);
    m.start(far);
    REQUIRE(m.go() == &far);
    m.settle();
    m.on(1);
    m.control(far_to_guest, abi::VcpuOperation::move, 1);
    CHECK(m.guest.core == 1);
}

TEST_CASE("who is started is reset by its own core alone", "[sched][cross]") {
    constexpr uint64_t entry = 0x2000, before = 0x77;
    Moving m;
    Vcpu& far = m.vcpu(m.native("far"), 1);
    const uint64_t boss_to_far = m.grant(*m.boss.partition, m.name_of(far));
    far.context.x[0] = before;
    m.start(m.boss);
    REQUIRE(m.go() == &m.boss);
    m.hvc(Hypercall::vcpu_control, {boss_to_far, static_cast<uint64_t>(abi::VcpuOperation::start), entry, 5, 6, 7});
    CHECK(m.status() == Status::ok);
    CHECK(far.context.x[0] == before); // it may be about to write the status of its last hypercall
    m.settle();
    m.on(1);
    REQUIRE(m.running() == &far);
    CHECK(m.pc() == entry);
    CHECK(m.x(0) == 5);
    CHECK(m.x(1) == 6);
}

TEST_CASE("who is to go on before it could move stays where it is", "[sched][move]") {
    Moving m;
    Vcpu& far = m.vcpu(m.native("far"), 1);
    const uint64_t boss_to_far = m.grant(*m.boss.partition, m.name_of(far));
    const auto move = static_cast<uint64_t>(abi::VcpuOperation::move);
    m.serve(far, hw::counter + 1'000);
    m.start(m.boss);
    REQUIRE(m.go() == &m.boss);
    m.hvc(Hypercall::vcpu_control, {boss_to_far, static_cast<uint64_t>(abi::VcpuOperation::pause)});
    m.settle();
    m.hvc(Hypercall::vcpu_control, {boss_to_far, move, 0}); // which its core has yet to do
    REQUIRE(m.running() == &m.boss);
    m.hvc(Hypercall::vcpu_control, {boss_to_far, static_cast<uint64_t>(abi::VcpuOperation::resume)});
    CHECK(m.status() == Status::ok);
    m.settle();
    m.hvc(Hypercall::vcpu_control, {boss_to_far, move, 0});
    CHECK(m.status() == Status::bad_state);
    CHECK(far.core == 1);
    CHECK(far.state == VcpuState::waiting);
    m.pass(2'000);
    m.on(1);
    REQUIRE(m.running() == &far);
    CHECK(m.tag().kind() == Kind::deadline);
}

TEST_CASE("what is written to a VM's vCPU while it does not run is there when it goes on", "[switching]") {
    Moving m;
    const uint64_t cntvoff = static_cast<uint64_t>(abi::VcpuRegister::cntvoff);
    const uint64_t mpidr = static_cast<uint64_t>(abi::VcpuRegister::mpidr);
    m.start(m.guest);
    REQUIRE(m.go() == &m.guest);
    m.start(m.boss);
    REQUIRE(m.go() == &m.boss);
    m.control(m.boss_to_guest, abi::VcpuOperation::pause);
    m.hvc(Hypercall::vcpu_write, {m.boss_to_guest, cntvoff, 12'345});
    m.hvc(Hypercall::vcpu_write, {m.boss_to_guest, mpidr, 0x102});
    m.control(m.boss_to_guest, abi::VcpuOperation::resume);
    REQUIRE(m.reply() == &m.guest); // nobody else's state was in the hardware in between
    CHECK(hw::read<hw::CntvoffEl2>().bits == 12'345);
    CHECK(hw::read<hw::VmpidrEl2>().bits == (1ull << 31 | 0x102));
}

TEST_CASE("a native partition keeps its traps when the VM behind it is stopped", "[switching]") {
    Moving m;
    m.start(m.guest);
    REQUIRE(m.go() == &m.guest);
    m.start(m.boss);
    REQUIRE(m.go() == &m.boss);
    REQUIRE(m.core().resident == &m.guest);
    m.control(m.boss_to_guest, abi::VcpuOperation::stop);
    REQUIRE(m.core().resident == nullptr);
    CHECK(hw::read<IchHcrEl2>().bits == m.boss.controls.ich_hcr);
}

TEST_CASE("a service that starts afresh waits for none of the cores that it asked before", "[switching][irq]") {
    Moving m;
    m.service.interrupts.wait = {m.guest.partition, 1}; // it was killed in the middle of interrupt_state
    REQUIRE(m.Machine::control(m.service, request::start) == &m.service);
    CHECK(m.service.interrupts.wait.asked == 0); // so the next one asks, and is not told what was so then
}

TEST_CASE("what is pending for any vCPU goes to another one when the one that has it is stopped", "[switching][irq]") {
    using VI = VirtualInterrupt;
    constexpr unsigned spi = 40;
    Moving m;
    Vcpu& other = m.vcpu(*m.guest.partition, 1);
    m.on(1);
    m.start(other);
    REQUIRE(m.go() == &other);
    m.on(0);
    constexpr Word for_any = VI::enabled(1) | VI::group1(1) | VI::edge(1) | VI::target(any_vcpu) | VI::latch(1);
    m.start(m.guest);
    InterruptUpdate(m.core(), *m.guest.partition).change(nullptr, spi, {}, for_any);
    REQUIRE(m.go() == &m.guest);
    m.settle();
    REQUIRE(m.guest.interrupts.used == 1);
    REQUIRE(other.interrupts.used == 0);
    m.Machine::control(m.guest, request::stop);
    m.settle();
    CHECK(other.interrupts.used == 1);
    CHECK(other.interrupts.listed[0] == spi);
}

} // namespace bulkhead::test
