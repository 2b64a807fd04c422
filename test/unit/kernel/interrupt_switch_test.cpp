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

TEST_CASE("a VM's own PMU is in the hardware only while it is entered", "[irq]") {
    World world;
    Vcpu& vcpu = *world.a.vcpus[0];
    auto& hardware = hw::in_hardware().extra;
    constexpr auto closed = MdcrEl2::tpm(1) | MdcrEl2::tpmcr(1) | MdcrEl2::tda(1);
    hw::write<MdcrEl2>(closed);
    hardware = {};
    vcpu.extra.pmu[70] = 0x5678;
    vcpu.leaves_slowly = true;
    SECTION("one that has none") {
        exchange_pmu(world.core0, vcpu);
        CHECK(hardware.pmu[70] == 0);
        CHECK(hw::read<MdcrEl2>() == closed);
    }
    SECTION("one that has one") {
        vcpu.own_pmu = true;
        exchange_pmu(world.core0, vcpu);
        CHECK(hardware.pmu[70] == 0x5678);
        CHECK(hw::read<MdcrEl2>() == MdcrEl2::tda(1));
        world.core0.loaded = &vcpu;
        leave_slowly(vcpu);
        CHECK(hardware.pmu[70] == 0);
        CHECK(vcpu.extra.pmu[70] == 0x5678);
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
    exchange_pmu(world.core0, first); // a service in between changes nothing
    CHECK(World::ppi_active(0, gic::pmu));
    World::run(second);
    exchange_pmu(world.core0, second);
    CHECK_FALSE(World::ppi_active(0, gic::pmu));
    physical(world.core0, gic::pmu);
    World::enter();
    CHECK(b.handle() == gic::pmu);
    exchange_pmu(world.core0, first);
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
    exchange_pmu(world.core0, vcpu);
    CHECK(World::ppi_active(0, gic::pmu));
    world.state(Register::pending_clear, 0, 0, 1u << gic::pmu);
    exchange_pmu(world.core0, vcpu);
    CHECK_FALSE(World::ppi_active(0, gic::pmu));
    CHECK(World::deactivated() == spurious);
    world.core0.current = &world.server;
    physical(world.core0, gic::pmu);
    CHECK(World::deactivated() == gic::pmu);
    CHECK(world.read(Register::pending_set, 0, 0) == 0);
}
