// SPDX-License-Identifier: MIT
// Virtual interrupts across vCPUs, cores and VMs: routing, switching, the PMU.
#include "interrupt_world.hpp"
#include "switch.hpp"

using namespace bulkhead;
using namespace bulkhead::test;

TEST_CASE("an SPI goes to the vCPU that it is routed to, and follows a new route", "[irq]") {
    World world;
    Guest guest0, guest1;
    world.open(world.a, 0, 40, 0xa0, true);
    world.state(Register::route, 0, 40, 1);
    world.pulse(40);
    CHECK(Guest::used() == 0);
    CHECK(inbox == std::vector<Vcpu*>{world.a.vcpus[1].get()});
    World::take_ipis(1);
    World::on(1);
    REQUIRE(Guest::has(40));
    World::on(0);
    world.state(Register::route, 0, 40, 0);
    CHECK(world.last == 1);
    World::enter();
    CHECK_FALSE(Guest::has(40)); // core 1 still has it
    World::take_ipis(1);
    World::on(1);
    CHECK(Guest::used() == 0);
    World::take_ipis(0);
    World::on(0);
    CHECK(guest0.handle() == 40);
    world.state(Register::route, 0, 40, 0xfe); // no vCPU of the VM
    world.pulse(40);
    World::take_ipis(1);
    CHECK_FALSE(Guest::has(40));
    CHECK(world.read(Register::pending_set, 0, 32) == 1 << 8);
}

TEST_CASE("an SPI for any vCPU goes to one that is not off", "[irq]") {
    World world;
    world.open(world.a, 0, 40, 0xa0, true);
    world.state(Register::route, 0, 40, any_vcpu);
    world.a.vcpus[0]->state = VcpuState::off;
    world.pulse(40);
    CHECK_FALSE(Guest::has(40));
    World::take_ipis(1);
    World::on(1);
    CHECK(Guest::has(40));
}

TEST_CASE("an SGI from one vCPU reaches the other", "[irq]") {
    World world;
    Guest guest1;
    world.open(world.a, 1, 3, 0x80, true);
    world.state(Register::pending_set, 1, 0, 1 << 3);
    World::take_ipis(1);
    World::on(1);
    CHECK(guest1.acknowledge() == 3);
    World::on(0);
    world.state(Register::pending_set, 1, 0, 1 << 3); // again, while it is active there
    World::take_ipis(1);
    World::on(1);
    guest1.end(3);
    CHECK(guest1.handle() == 3);
    CHECK(guest1.handle() == spurious);
}

TEST_CASE("what another core's list registers hold is asked for before it is read", "[irq]") {
    World world;
    Guest guest1;
    world.open(world.a, 1, 20);
    world.line(20, Line::raise, 1);
    World::take_ipis(1);
    World::on(1);
    CHECK(guest1.acknowledge() == 20);
    World::on(0);
    CHECK(world.state(Register::active_set, 1, 0, 0) == restart);
    CHECK(world.state(Register::active_set, 1, 0, 0) == restart);
    World::take_ipis(1);
    CHECK(world.state(Register::active_set, 1, 0, 0) == Status::ok);
    CHECK(world.last == 1 << 20);
    // Cleared from here: gone there.
    CHECK(world.state(Register::active_clear, 1, 0, 1 << 20) == Status::ok);
    world.line(20, Line::lower, 1);
    World::take_ipis(1);
    World::on(1);
    CHECK(Guest::used() == 0);
}

TEST_CASE("pending cleared from another core does not lose a later edge", "[irq]") {
    World world;
    world.open(world.a, 1, 20, 0xa0, true);
    world.line(20, Line::pulse, 1);
    World::take_ipis(1);
    {
        InterruptUpdate update(world.core0, world.a.partition);
        update.change(world.a.vcpus[1].get(), 20, VirtualInterrupt::latch(1), {});
        CHECK_FALSE(is_pending(update.word(world.a.vcpus[1].get(), 20)));
    }
    World::take_ipis(1);
    World::on(1);
    CHECK_FALSE(Guest::has(20));
    World::on(0);
    world.line(20, Line::pulse, 1);
    World::take_ipis(1);
    {
        InterruptUpdate update(world.core0, world.a.partition);
        update.change(world.a.vcpus[1].get(), 20, VirtualInterrupt::latch(1), {});
    }
    world.line(20, Line::pulse, 1);
    World::take_ipis(1);
    World::on(1);
    CHECK(Guest::state_of(20) == IchLr::pending);
}

TEST_CASE("list registers are another VM's after a switch, and the same again after one back", "[irq]") {
    World world;
    Guest guest;
    world.open(world.a, 0, 40, 0xa0);
    world.open(world.a, 0, 41, 0xa8, true);
    world.raise(40);
    world.pulse(41);
    CHECK(guest.acknowledge() == 40);
    World::run(*world.b.vcpus[0]);
    CHECK(Guest::used() == 0);
    CHECK(world.read(Register::active_set, 0, 32) == 1 << 8);
    CHECK(world.read(Register::pending_set, 0, 32) == 3 << 8);
    world.line(40, Line::lower);
    World::run(*world.a.vcpus[0]);
    CHECK(Guest::state_of(40) == IchLr::active);
    CHECK(Guest::state_of(41) == IchLr::pending);
    guest.end(40);
    CHECK(guest.handle() == 41);
}

TEST_CASE("an edge whose last one was ended takes the same list register again", "[irq]") {
    World world;
    Guest guest;
    world.open(world.a, 0, 5, 0xa0, true);
    world.open(world.a, 0, 40, 0xa0, true);
    for (unsigned round = 0; round < 3; ++round) {
        for (unsigned intid : {5u, 40u}) {
            world.pulse(intid);
            CHECK(Guest::used() == 1);
            CHECK(guest.handle() == intid);
        }
    }
    world.pulse(5);
    CHECK(guest.acknowledge() == 5);
    world.pulse(5); // while it is active
    CHECK(guest.acknowledge() == spurious);
    guest.end(5);
    CHECK(guest.handle() == 5);
    CHECK(guest.handle() == spurious);
}

namespace {

/// SGI 3 of vCPU 1 on core 1, sent by core 0; the last one was ended, and is in its list register still.
struct Sent : World {
    static constexpr unsigned sgi = 3;
    Guest guest1;
    Vcpu& target = *a.vcpus[1];

    Sent() {
        open(a, 1, sgi, 0x80, true);
        send();
        take_ipis(1);
        CHECK(take() == sgi);
        REQUIRE(is(word(), VirtualInterrupt::listed));
    }
    Word word() const { return target.interrupts.word[sgi]; }
    void send(unsigned intid = sgi) { line(intid, Line::pulse, 1); }
    /// On core 1.
    unsigned acknowledge() {
        on(1);
        const unsigned intid = guest1.acknowledge();
        on(0);
        return intid;
    }
    void end(unsigned intid) {
        on(1);
        guest1.end(intid);
        on(0);
    }
    unsigned take() {
        const unsigned intid = acknowledge();
        if (intid != spurious) { end(intid); }
        return intid;
    }
    /// Nobody is resident on core 1.
    void leave() {
        on(1);
        switch_out(here(), target);
        here().resident = here().current = nullptr;
        on(0);
    }
    void come_back() {
        on(1);
        run(target);
        on(0);
    }
};

} // namespace

TEST_CASE("an SGI is taken once, wherever the last one is", "[irq]") {
    Sent world;
    SECTION("ended") {
        world.send();
        CHECK(inbox.size() == 1);
        World::take_ipis(1);
        World::on(1);
        CHECK(Guest::used() == 1); // the same list register
        World::on(0);
    }
    SECTION("ended, and sent twice before the other core looks") {
        world.send();
        world.send();
        CHECK(inbox.size() == 1); // it knows
        World::take_ipis(1);
    }
    SECTION("pending in its list register") {
        world.send();
        World::take_ipis(1);
        world.send();
        World::take_ipis(1);
        World::on(1);
        CHECK(Guest::used() == 1);
        World::on(0);
    }
    SECTION("active in its list register") {
        world.send();
        World::take_ipis(1);
        CHECK(world.acknowledge() == Sent::sgi);
        world.send();
        World::take_ipis(1);
        World::on(1);
        CHECK(Guest::state_of(Sent::sgi) == IchLr::pending_active);
        World::on(0);
        CHECK(world.acknowledge() == spurious);
        world.end(Sent::sgi);
    }
    SECTION("in the queue") {
        for (unsigned intid = 4; intid < 8; ++intid) {
            world.open(world.a, 1, intid, 0x20, true);
            world.send(intid);
        }
        world.send();
        World::take_ipis(1);
        REQUIRE(is(world.word(), VirtualInterrupt::queued));
        world.send();
        World::take_ipis(1);
        for (unsigned intid = 4; intid < 8; ++intid) { CHECK(world.take() == intid); }
    }
    SECTION("disabled since") {
        world.state(Register::enable_clear, 1, 0, 1 << Sent::sgi);
        world.send();
        World::take_ipis(1);
        CHECK(world.acknowledge() == spurious);
        world.state(Register::enable_set, 1, 0, 1 << Sent::sgi);
        World::take_ipis(1);
    }
    SECTION("disabled while active") {
        world.send();
        World::take_ipis(1);
        CHECK(world.acknowledge() == Sent::sgi);
        world.state(Register::enable_clear, 1, 0, 1 << Sent::sgi);
        World::take_ipis(1);
        world.end(Sent::sgi);
        REQUIRE(is(world.word(), VirtualInterrupt::listed));
        world.send();
        World::take_ipis(1);
        CHECK(world.acknowledge() == spurious);
        world.state(Register::enable_set, 1, 0, 1 << Sent::sgi);
        World::take_ipis(1);
    }
    SECTION("active when the distributor was closed") {
        world.send();
        World::take_ipis(1);
        CHECK(world.acknowledge() == Sent::sgi);
        world.state(Register::ctlr, 0, 0, 0);
        World::take_ipis(1);
        world.end(Sent::sgi);
        REQUIRE(is(world.word(), VirtualInterrupt::listed));
        world.send();
        World::take_ipis(1);
        CHECK(world.acknowledge() == spurious);
        world.state(Register::ctlr, 0, 0, 2);
        World::take_ipis(1);
    }
    SECTION("with a vCPU that leaves before it looks") {
        world.send();
        world.leave();
        world.come_back();
    }
    SECTION("with a vCPU that is off") {
        World::on(1);
        reset_interrupts(World::here(), world.target);
        World::on(0);
        world.leave();
        world.target.state = VcpuState::off;
        world.send();
        world.send();
        world.target.state = VcpuState::ready;
        world.come_back();
    }
    SECTION("with a vCPU that waits") {
        world.target.state = VcpuState::waiting;
        world.send();
        World::on(1);
        CHECK(deliverable(world.target));
        World::on(0);
        world.target.state = VcpuState::ready;
        World::take_ipis(1);
    }
    CHECK(world.take() == Sent::sgi);
    CHECK(world.take() == spurious);
}

TEST_CASE("two SGIs at once go back into their list registers", "[irq]") {
    Sent world;
    world.open(world.a, 1, 4, 0x40, true);
    world.send(4);
    world.send();
    World::take_ipis(1);
    for (unsigned round = 0; round < 3; ++round) {
        CHECK(world.take() == 4);
        CHECK(world.take() == Sent::sgi);
        CHECK(world.take() == spurious);
        world.send();
        world.send(4);
        World::take_ipis(1);
    }
}

TEST_CASE("an edge does not go before a more urgent one that waits for a list register", "[irq]") {
    Sent world;
    for (unsigned intid = 4; intid < 9; ++intid) { world.open(world.a, 1, intid, 0xf0 - 0x10 * intid, true); }
    for (unsigned intid = 4; intid < 7; ++intid) {
        world.send(intid);
        World::take_ipis(1);
        CHECK(world.acknowledge() == intid);
    }
    world.send(8);
    world.send(7);
    World::take_ipis(1); // three are active: one of these waits
    world.end(6);
    world.send(6);
    World::take_ipis(1);
    for (unsigned intid : {8u, 7u, 6u, spurious}) { CHECK(world.take() == intid); }
}

TEST_CASE("an edge that has left its list register is not taken for another vCPU's", "[irq]") {
    constexpr unsigned spi = 40, bit = 1u << (spi - 32);
    Sent world;
    Guest guest0;
    world.open(world.a, 1, spi, 0x20, true);
    world.state(Register::route, 0, spi, 1);
    world.line(spi, Line::pulse);
    World::take_ipis(1);
    CHECK(world.acknowledge() == spi);
    world.state(Register::enable_clear, 0, 32, bit);
    World::take_ipis(1);
    world.end(spi);
    world.line(spi, Line::pulse);
    world.leave(); // with a note of its list register
    world.state(Register::route, 0, spi, 0);
    world.state(Register::enable_set, 0, 32, bit);
    World::enter();
    CHECK(guest0.handle() == spi);
    world.line(spi, Line::pulse); // now vCPU 0's
    world.come_back();
    CHECK(world.take() == spurious);
    World::enter();
    CHECK(guest0.handle() == spi);
    CHECK(guest0.handle() == spurious);
}

TEST_CASE("when nobody's list registers are in the hardware, no maintenance interrupt is asked for", "[irq]") {
    World world;
    for (unsigned intid = 40; intid < 46; ++intid) {
        world.open(world.a, 0, intid, 0xa0, true);
        world.pulse(intid);
    }
    REQUIRE(hw::read<IchHcrEl2>().get(IchHcrEl2::npie) == 1); // more than there are list registers
    Vcpu& vcpu = *world.a.vcpus[0];
    SECTION("its interrupts reset, as at a stop") { reset_interrupts(world.core0, vcpu); }
    SECTION("as it is, as at a move") {}
    switch_out(world.core0, vcpu);
    world.core0.resident = world.core0.current = nullptr;
    CHECK(hw::read<IchHcrEl2>().bits == 0);
    CHECK_FALSE(Guest::wants_maintenance());
}

TEST_CASE("a VM's own PMU and keys are in the hardware only while it is entered", "[irq]") {
    World world;
    Vcpu& vcpu = *world.a.vcpus[0];
    auto& hardware = hw::in_hardware().extra;
    constexpr auto closed = MdcrEl2::tpm(1) | MdcrEl2::tpmcr(1) | MdcrEl2::tda(1);
    hw::write<MdcrEl2>(closed);
    hardware = {};
    hardware.keys[9] = 7;
    vcpu.extra.keys[9] = 0x1234, vcpu.extra.pmu[70] = 0x5678;
    vcpu.leaves_slowly = true;
    SECTION("one that has neither") {
        exchange_extra(world.core0, vcpu);
        CHECK((hardware.keys[9] == 7 && hardware.pmu[70] == 0));
        CHECK(hw::read<MdcrEl2>() == closed);
    }
    SECTION("one that has both") {
        vcpu.own_pmu = true;
        vcpu.controls.hcr |= HcrEl2::pauth.mask;
        exchange_extra(world.core0, vcpu);
        CHECK((hardware.keys[9] == 0x1234 && hardware.pmu[70] == 0x5678));
        CHECK(hw::read<MdcrEl2>() == MdcrEl2::tda(1));
        hardware.keys[9] = 0x4321;
        world.core0.loaded = &vcpu;
        leave_slowly(vcpu);
        CHECK((hardware.keys[9] == 7 && hardware.pmu[70] == 0));
        CHECK((vcpu.extra.keys[9] == 0x4321 && vcpu.extra.pmu[70] == 0x5678));
        CHECK(hw::read<MdcrEl2>() == closed);
        CHECK(world.core0.loaded == nullptr);
    }
}

TEST_CASE("VM B gets its PMU interrupt while VM A's is active", "[irq]") {
    World world;
    Guest a, b;
    Vcpu &first = *world.a.vcpus[0], &second = *world.b.vcpus[0];
    first.own_pmu = second.own_pmu = true;
    world.open(world.a, 0, gic::pmu);
    world.open(world.b, 0, gic::pmu);
    physical(world.core0, gic::pmu);
    World::enter();
    hw::log.push_back({hw::Op::store, gicr + 0x1'0300, 1u << gic::pmu, 0}); // as the hardware did
    CHECK(Guest::list(gic::pmu).get(IchLr::hw) == 1);
    CHECK(Guest::list(gic::pmu).get(IchLr::pintid) == gic::pmu);
    CHECK(a.acknowledge() == gic::pmu);
    leave_slowly(first);
    exchange_extra(world.core0, first); // a service in between changes nothing
    CHECK(World::ppi_active(0, gic::pmu));
    World::run(second);
    exchange_extra(world.core0, second);
    CHECK_FALSE(World::ppi_active(0, gic::pmu));
    physical(world.core0, gic::pmu);
    World::enter();
    CHECK(b.handle() == gic::pmu);
    exchange_extra(world.core0, first);
    CHECK(World::ppi_active(0, gic::pmu));
    World::run(first);
    CHECK(Guest::state_of(gic::pmu) == IchLr::active);
    a.end(gic::pmu);
    CHECK(ended_by_guest == std::vector<unsigned>{gic::pmu, gic::pmu});
}

TEST_CASE("a PMU interrupt that the guest clears, or that is nobody's, lets the physical one go", "[irq]") {
    World world;
    Vcpu& vcpu = *world.a.vcpus[0];
    vcpu.own_pmu = true;
    physical(world.core0, gic::pmu); // the guest has not enabled it
    hw::log.push_back({hw::Op::store, gicr + 0x1'0300, 1u << gic::pmu, 0});
    CHECK(world.read(Register::pending_set, 0, 0) == 1u << gic::pmu);
    exchange_extra(world.core0, vcpu);
    CHECK(World::ppi_active(0, gic::pmu));
    world.state(Register::pending_clear, 0, 0, 1u << gic::pmu);
    exchange_extra(world.core0, vcpu);
    CHECK_FALSE(World::ppi_active(0, gic::pmu));
    CHECK(World::deactivated() == spurious);
    world.core0.current = &world.server;
    physical(world.core0, gic::pmu);
    CHECK(World::deactivated() == gic::pmu);
    CHECK(world.read(Register::pending_set, 0, 0) == 0);
}
