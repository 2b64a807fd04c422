// SPDX-License-Identifier: MIT
// The interrupt of the virtual timer, which VMs share the physical one of: in list registers, at the end of a wait, across VMs.
#include "interrupt_world.hpp"

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

namespace {

/// A VM whose timer has fired once, and whose guest has ended that.
struct Fired : World {
    Guest guest;
    Vcpu& vcpu = *a.vcpus[0];
    Fired() {
        open(a, 0, timer);
        fire_timer();
        REQUIRE(guest.handle() == timer);
    }
};

} // namespace

TEST_CASE("the timer's next interrupt takes the list register of its last one, and nothing else changes", "[irq]") {
    Fired world;
    Guest& guest = world.guest;
    Vcpu& vcpu = world.vcpu;
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
    Fired world;
    Guest& guest = world.guest;
    Vcpu& vcpu = world.vcpu;
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
