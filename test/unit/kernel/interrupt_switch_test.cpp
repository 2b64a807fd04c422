// SPDX-License-Identifier: MIT
// Virtual interrupts across vCPUs, cores and VMs: routing, switching, the timer that VMs share, reset.
#include "interrupt_world.hpp"
#include "switch.hpp"

using namespace bulkhead;
using namespace bulkhead::test;

namespace {

constexpr unsigned timer = gic::virtual_timer;

/// The guest's timer is due, and the physical interrupt fires.
void fire_timer() {
    hw::write<hw::CntvCtl>({5});
    vtimer_fired(World::here());
    World::enter();
}

} // namespace

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

TEST_CASE("the timer's virtual interrupt is hardware-linked: EOI needs no exit", "[irq]") {
    World world;
    Guest guest;
    world.open(world.a, 0, timer);
    fire_timer();
    auto lr = Guest::list(timer);
    CHECK(lr.get(IchLr::hw) == 1);
    CHECK(lr.get(IchLr::pintid) == timer);
    const unsigned before = Guest::maintenances;
    CHECK(guest.handle() == timer);
    CHECK(ended_by_guest == std::vector<unsigned>{timer});
    CHECK(Guest::maintenances == before);
    World::run(*world.b.vcpus[0]);
    CHECK_FALSE(World::timer_active(0));
}

TEST_CASE("the timer's next interrupt takes the list register of its last one, and nothing else changes", "[irq]") {
    World world;
    Guest guest;
    Vcpu& vcpu = *world.a.vcpus[0];
    world.open(world.a, 0, timer);
    fire_timer();
    CHECK(guest.handle() == timer);
    const Word before = vcpu.interrupts.word[timer];
    auto fires_again = [&] {
        hw::write<hw::CntvCtl>({5});
        vtimer_fired(World::here());
        return !vcpu.interrupts.dirty;
    };

    SECTION("as it was") {
        CHECK(fires_again());
        CHECK(vcpu.interrupts.word[timer].bits == before.bits);
        CHECK(Guest::used() == 1);
        CHECK(Guest::list(timer).get(IchLr::hw) == 1);
    }
    SECTION("with another interrupt in a list register beside it") {
        world.open(world.a, 0, 20, 0x80, true);
        world.line(20, Line::pulse);
        World::enter();
        CHECK(guest.handle() == 20);
        fires_again();
        World::enter();
    }
    SECTION("more urgent than before") {
        world.open(world.a, 0, timer, 0x20);
        World::enter();
        fires_again();
        World::enter();
        CHECK(Guest::list(timer).get(IchLr::priority) == 0x20);
    }
    SECTION("disabled, it waits until it is enabled") {
        REQUIRE(world.state(Register::enable_clear, 0, 0, 1u << timer) == Status::ok);
        CHECK_FALSE(fires_again());
        World::enter();
        CHECK(guest.acknowledge() == spurious);
        REQUIRE(world.state(Register::enable_set, 0, 0, 1u << timer) == Status::ok);
        World::enter();
    }
    SECTION("behind a closed distributor it waits, too") {
        world.a.interrupts.ctlr = 0;
        CHECK_FALSE(fires_again());
        World::enter();
        CHECK(guest.acknowledge() == spurious);
        world.a.interrupts.ctlr = 2;
        world.a.vcpus[0]->interrupts.dirty = true;
        World::enter();
    }
    CHECK(guest.handle() == timer);
    CHECK(guest.handle() == spurious);
    CHECK(ended_by_guest == std::vector<unsigned>{timer, timer});
}

TEST_CASE("a wait that ends at the timer's deadline brings its interrupt along", "[irq]") {
    constexpr uint64_t deadline = 1000, offset = 300;
    World world;
    Guest guest;
    Vcpu& vcpu = *world.a.vcpus[0];
    world.open(world.a, 0, timer);
    fire_timer();
    CHECK(guest.handle() == timer);
    world.core0.current = nullptr; // it waits, its timer's state in memory
    vcpu.eager.cntv_ctl_el0 = 1;
    vcpu.eager.cntv_cval_el0 = deadline - offset;
    vcpu.controls.cntvoff = offset;

    SECTION("not before") {
        wait_is_over(world.core0, vcpu, deadline - 1);
        CHECK(Guest::used() == 0);
        CHECK_FALSE(World::timer_active(0));
    }
    SECTION("not if the guest has masked it") {
        vcpu.eager.cntv_ctl_el0 = 3;
        wait_is_over(world.core0, vcpu, deadline);
        CHECK(Guest::used() == 0);
    }
    SECTION("not where the deadline is beyond the counter's end") {
        vcpu.eager.cntv_cval_el0 = ~0ull - 10;
        wait_is_over(world.core0, vcpu, deadline);
        CHECK(Guest::used() == 0);
    }
    SECTION("a virtual counter that is ahead of the physical one has its deadlines earlier") {
        vcpu.controls.cntvoff = 0 - offset;
        vcpu.eager.cntv_cval_el0 = deadline + offset;
        wait_is_over(world.core0, vcpu, deadline - 1);
        CHECK(Guest::used() == 0);
        wait_is_over(world.core0, vcpu, deadline);
        CHECK(Guest::used() == 1);
    }
    SECTION("not while another VM's list registers are in the hardware") {
        World::run(*world.b.vcpus[0]);
        wait_is_over(world.core0, vcpu, deadline);
        CHECK(Guest::used() == 0);
        CHECK_FALSE(World::timer_active(0));
    }
    SECTION("pending, and the physical one is active for it") {
        wait_is_over(world.core0, vcpu, deadline);
        CHECK(World::timer_active(0));
        world.core0.current = &vcpu;
        World::enter();
        CHECK(guest.handle() == timer);
        CHECK(ended_by_guest == std::vector<unsigned>{timer, timer});
    }
    SECTION("it survives that the list registers are filled anew") {
        wait_is_over(world.core0, vcpu, deadline);
        world.open(world.a, 0, 20, 0x80, true);
        world.line(20, Line::pulse);
        world.core0.current = &vcpu;
        hw::write<hw::CntvCtl>({5});
        World::enter();
        CHECK(guest.handle() == 20);
        CHECK(guest.handle() == timer);
        CHECK(guest.handle() == spurious);
    }
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

TEST_CASE("VM B gets its timer interrupt while VM A's is active", "[irq]") {
    World world;
    Guest a, b;
    world.open(world.a, 0, timer);
    world.open(world.b, 0, timer);
    fire_timer();
    CHECK(a.acknowledge() == timer);
    world.a.vcpus[0]->eager.cntv_ctl_el0 = 5;
    hw::log.push_back({hw::Op::store, gicr + 0x1'0300, 1u << timer, 0}); // as the hardware did
    World::run(*world.b.vcpus[0]);
    CHECK_FALSE(World::timer_active(0));
    fire_timer();
    CHECK(b.handle() == timer);
    World::run(*world.a.vcpus[0]);
    CHECK(World::timer_active(0));
    CHECK(Guest::state_of(timer) == IchLr::active);
    CHECK(Guest::list(timer).get(IchLr::hw) == 1);
    a.end(timer);
    CHECK(ended_by_guest == std::vector<unsigned>{timer, timer});
}

TEST_CASE("a timer interrupt that the guest has not enabled waits and keeps the physical one", "[irq]") {
    World world;
    Guest guest;
    fire_timer();
    CHECK(Guest::used() == 0);
    CHECK(world.read(Register::pending_set, 0, 0) == 1u << timer);
    world.open(world.a, 0, timer);
    World::enter();
    CHECK(guest.handle() == timer);
}

TEST_CASE("a timer interrupt that waits is withdrawn when the guest turns its timer off", "[irq]") {
    World world;
    fire_timer();
    hw::write<hw::CntvCtl>({0});
    world.open(world.a, 0, timer);
    World::enter();
    CHECK_FALSE(Guest::has(timer));
    CHECK_FALSE(World::timer_active(0));
    CHECK(world.read(Register::pending_set, 0, 0) == 0);
}

TEST_CASE("a timer interrupt that the guest clears before it is enabled lets the physical one go at the next entry", "[irq]") {
    World world;
    Guest guest;
    world.open(world.a, 0, 5, 0xa0, true);
    world.pulse(5);
    CHECK(guest.handle() == 5);
    hw::log.push_back({hw::Op::store, gicr + 0x1'0300, 1u << timer, 0}); // as the hardware did
    fire_timer();
    REQUIRE(world.state(Register::pending_clear, 0, 0, 1u << timer) == Status::ok);
    REQUIRE(world.state(Register::enable_set, 0, 0, 1u << timer) == Status::ok);
    world.pulse(5); // which alone would go straight back into its list register
    CHECK(guest.handle() == 5);
    CHECK_FALSE(World::timer_active(0));
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

TEST_CASE("a timer interrupt that comes late is nobody's", "[irq]") {
    World world;
    world.core0.current = &world.server;
    hw::write<hw::CntvCtl>({5});
    vtimer_fired(world.core0);
    CHECK(hw::read<hw::CntvCtl>().bits == 0);
    CHECK(World::deactivated() == timer);
    CHECK(hw::read<hw::IccEoir1>().bits == timer);
    CHECK_FALSE(world.a.vcpus[0]->interrupts.dirty);
}

TEST_CASE("reset leaves nothing pending or active, and the physical timer free", "[irq]") {
    World world;
    Guest guest;
    Vcpu& vcpu = *world.a.vcpus[0];
    world.open(world.a, 0, timer);
    world.open(world.a, 0, 5, 0x80, true);
    world.open(world.a, 0, 40, 0x40, true);
    fire_timer();
    CHECK(guest.acknowledge() == timer);
    world.pulse(5);
    world.pulse(40);
    CHECK(guest.acknowledge() == 40);
    world.line(20, Line::raise);
    hw::log.push_back({hw::Op::store, gicr + 0x1'0300, 1u << timer, 0}); // as the hardware did
    vcpu.state = VcpuState::off;
    reset_interrupts(world.core0, vcpu);
    CHECK(Guest::used() == 0);
    CHECK_FALSE(World::timer_active(0));
    CHECK(world.read(Register::active_set, 0, 0) == 0);
    CHECK(world.read(Register::active_set, 0, 32) == 0);
    CHECK(world.read(Register::pending_set, 0, 0) == 1 << 20);          // an input is not the vCPU's state
    CHECK((world.read(Register::enable_set, 0, 0) & 1u << timer) != 0); // nor is the configuration
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
        after_guest(vcpu);
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
    after_guest(first);
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
