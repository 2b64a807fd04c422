// SPDX-License-Identifier: MIT
// The interrupt hypercalls with good and bad arguments, and physical interrupts on their way to signals and VMs.
#include "hypercall/hypercall.hpp"
#include "interrupt_world.hpp"

using namespace bulkhead;
using namespace bulkhead::test;
namespace right = abi::right;

namespace {

/// An Interrupt object for a physical SPI, and a notification.
struct Physical : World {
    static constexpr unsigned intid = 50, bit = 7;
    static constexpr uint64_t line_handle = 4, signals = 5, vm = 6;
    Slot& line = objects.take_at(3, ObjectType::interrupt);
    Slot& notification = objects.take_at(4, ObjectType::notification);

    Physical() {
        line.interrupt = {};
        line.interrupt.intid = intid;
        line.interrupt.core = 1;
        objects.publish(line);
        objects.publish(notification);
        REQUIRE(own_line(line));
        grant(line_handle, 3, right::all);
        grant(signals, 4, right::all);
        grant(vm, 1, right::all);
        mutation = false;
    }
    static bool enabled() {
        bool on = false;
        for (const auto& event : hw::log) {
            if (event.op != hw::Op::store || event.value != 1u << intid % 32) { continue; }
            if (event.address == gicd + 0x104) { on = true; }
            if (event.address == gicd + 0x184) { on = false; }
        }
        return on;
    }
    /// The core has yet to end the physical interrupt.
    bool held(unsigned spi) const { return is(a.interrupts.spi[spi - VirtualInterrupts::first_spi], VirtualInterrupt::held); }
    void fire() {
        physical(here(), intid);
        CHECK(hw::read<hw::IccEoir1>().bits == intid);
    }
};

} // namespace

TEST_CASE("interrupt_line: only the range of the badge, only what exists", "[irq][hypercall]") {
    World world;
    auto line = [&](uint64_t handle, uint64_t intid, uint64_t vcpu, uint64_t level) {
        return world.call(Hypercall::interrupt_line, {handle, intid, vcpu, level});
    };
    world.grant(1, 1, right::interrupt_line, 30 | 41 << 16);
    world.grant(2, 1, right::configure_interrupts, 30 | 41 << 16);
    world.grant(3, 1, right::interrupt_line, 0 | 0xffff << 16);
    CHECK(line(1, 40, 0, 1) == Status::ok);
    CHECK(line(1, 41, 99, 0) == Status::ok); // an SPI has no vCPU
    CHECK(line(1, 30, 1, 2) == Status::ok);
    CHECK(line(1, 29, 0, 1) == Status::no_right);
    CHECK(line(1, 42, 0, 1) == Status::no_right);
    CHECK(line(1, 42, 0, 2) == Status::no_right);
    CHECK(line(2, 40, 0, 1) == Status::no_right);
    CHECK(line(0, 40, 0, 1) == Status::bad_handle);
    CHECK(line(3, 15, 0, 1) == Status::bad_argument); // SGIs have no lines
    CHECK(line(3, 15, 0, 2) == Status::bad_argument); // and are not a device's
    CHECK(line(3, 16, 3, 1) == Status::bad_argument);
    CHECK(line(3, 16, 8, 1) == Status::bad_argument);
    CHECK(line(3, 127, 0, 3) == Status::bad_argument);
    CHECK(line(3, 128, 0, 1) == Status::bad_argument); // 96 SPIs
    CHECK(line(3, ~0ull, 0, 1) == Status::bad_argument);
}

TEST_CASE("interrupt_line: who configures a VM's interrupts may pulse each of them, and no more", "[irq][hypercall]") {
    World world;
    auto line = [&](uint64_t handle, uint64_t intid, uint64_t vcpu, uint64_t level) {
        return world.call(Hypercall::interrupt_line, {handle, intid, vcpu, level});
    };
    world.grant(2, 1, right::configure_interrupts);
    world.grant(3, 1, right::configure_interrupts | right::interrupt_line, 30 | 41 << 16);
    world.grant(4, 1, right::destroy | right::delegate, 0 | 0xffff << 16);
    for (unsigned intid : {0u, 15u, 16u, 31u, 32u, 127u}) {
        CAPTURE(intid);
        CHECK(line(2, intid, 1, 0) == Status::no_right);
        CHECK(line(2, intid, 1, 1) == Status::no_right);
        CHECK(line(2, intid, 1, 3) == Status::no_right);
        CHECK(line(4, intid, 1, 2) == Status::no_right);
        CHECK((world.read(Register::pending_set, 1, intid / 32 * 32) >> intid % 32 & 1) == 0);
        CHECK(line(2, intid, 1, 2) == Status::ok);
        CHECK((world.read(Register::pending_set, 1, intid / 32 * 32) >> intid % 32 & 1) == 1);
        CHECK((world.read(Register::pending_set, 0, 0) & 0xffff'ffff) == 0); // of the other vCPU
    }
    CHECK(line(2, 31, 3, 2) == Status::bad_argument);
    CHECK(line(2, 0, 8, 2) == Status::bad_argument);
    CHECK(line(2, 128, 0, 2) == Status::bad_argument);
    CHECK(line(2, ~0ull, 0, 2) == Status::bad_argument);
    CHECK(line(2, 1ull << 32, 0, 2) == Status::bad_argument);
    CHECK(line(3, 5, 0, 2) == Status::ok);
    CHECK(line(3, 5, 0, 1) == Status::bad_argument);
    CHECK(line(3, 42, 0, 2) == Status::ok);
    CHECK(line(3, 42, 0, 1) == Status::no_right);
    CHECK(line(3, 40, 0, 1) == Status::ok);
    CHECK(line(3, 40, 0, 3) == Status::bad_argument);
}

TEST_CASE(
    "interrupt_state: every register reads back what was written, and says what was there before in the places it sets or clears",
    "[irq][hypercall]") {
    World world;
    auto exchange = [&](Register reg, unsigned first, uint64_t value) {
        REQUIRE(world.state(reg, 1, first, value) == Status::ok);
        return world.last;
    };
    for (unsigned first : {0u, 64u}) {
        CHECK(exchange(Register::group, first, 0xf0f0'1234) == 0);
        CHECK(exchange(Register::group, first, 0) == 0xf0f0'1234);
        CHECK(exchange(Register::enable_set, first, 0x8000'00ff) == 0);
        CHECK(exchange(Register::enable_clear, first, 0xf) == 0xf);
        CHECK(exchange(Register::enable_set, first, 0) == 0x8000'00f0);
        CHECK(exchange(Register::pending_set, first, 0x11) == 0);
        CHECK(exchange(Register::pending_clear, first, 0x3) == 0x1);
        CHECK(exchange(Register::pending_clear, first, 0) == 0x10);
        CHECK(exchange(Register::active_set, first, 0x60) == 0);
        CHECK(exchange(Register::active_clear, first, 0x30) == 0x20);
        CHECK(exchange(Register::active_clear, first, 0x40) == 0x40);
        CHECK(exchange(Register::priority, first + 4, 0xf8a0'0810) == 0);
        CHECK(exchange(Register::priority, first + 4, 0) == 0xf8a0'0810);
    }
    CHECK(exchange(Register::config, 0, 0xaaaa'aaaa) == 0xaaaa'aaaa); // SGIs are edges
    CHECK(exchange(Register::config, 80, 0x8000'0002) == 0);
    CHECK(exchange(Register::config, 80, 0xffff'ffff) == 0x8000'0002);
    CHECK(exchange(Register::config, 80, 0) == 0xaaaa'aaaa);
    CHECK(exchange(Register::route, 35, 0xff) == 0);
    CHECK(exchange(Register::route, 35, 0) == 0xff);
    CHECK(exchange(Register::ctlr, 0, ~0ull) == 2);
    CHECK(exchange(Register::ctlr, 0, 0) == 3);
}

TEST_CASE("interrupt_state: goes on after a physical interrupt, without acting twice", "[irq][hypercall]") {
    World world;
    Guest guest;
    for (unsigned intid = 64; intid < 96; ++intid) { world.open(world.a, 0, intid, 0xa0, true); }
    world.grant(1, 1, right::all);
    uint64_t* x = world.server.context.x;
    x[3] = 64, x[4] = 0xffff'0001;
    auto go_on = [&](int looks) {
        hw::looks_before_interrupt = looks;
        return world.call(Hypercall::interrupt_state, {1, static_cast<uint64_t>(Register::pending_set), 0, x[3], x[4]});
    };
    CHECK(go_on(0) == restart); // at the first look
    World::enter();
    CHECK(guest.handle() == 64);
    CHECK(go_on(0) == restart);
    CHECK(go_on(-1) == Status::ok);
    World::enter();
    for (unsigned intid = 80; intid < 96; ++intid) { CHECK(guest.handle() == intid); }
    CHECK(guest.handle() == spurious);
}

TEST_CASE("interrupt_state: tells the value before, however often it is interrupted", "[irq][hypercall]") {
    World world;
    world.grant(1, 1, right::all);
    uint64_t* x = world.server.context.x;
    auto exchange = [&](Register reg, unsigned first, uint64_t value) {
        x[3] = first, x[4] = value;
        unsigned restarts = 0;
        for (;;) {
            hw::looks_before_interrupt = 0;
            const Status status = world.call(Hypercall::interrupt_state, {1, static_cast<uint64_t>(reg), 0, x[3], x[4]});
            if (status != restart) { break; }
            REQUIRE(++restarts < 10);
        }
        hw::looks_before_interrupt = -1;
        const bool chosen = reg < Register::priority && reg != Register::group && value != 0;
        const unsigned all = reg == Register::priority ? 4 : reg == Register::config ? 16 : 32;
        const unsigned looked_at = chosen ? static_cast<unsigned>(__builtin_popcountll(value)) : all;
        CHECK(restarts == (looked_at - 1) / 8);
        return world.last;
    };
    CHECK(exchange(Register::active_set, 64, 0xffff'8181) == 0);
    CHECK(exchange(Register::active_set, 64, 0x00ff'c1c1) == 0x00ff'8181);
    CHECK(exchange(Register::active_clear, 64, 0x7f00'c141) == 0x7f00'c141);
    CHECK(exchange(Register::active_clear, 64, 0) == 0x80ff'0080);
    CHECK(exchange(Register::group, 64, 0xffff'ffff) == 0);
    CHECK(exchange(Register::group, 64, 0x1234'5678) == 0xffff'ffff);
    CHECK(exchange(Register::group, 64, 0) == 0x1234'5678);
    CHECK(exchange(Register::config, 64, 0xaaaa'aaaa) == 0);
    CHECK(exchange(Register::config, 64, 0) == 0xaaaa'aaaa);
    CHECK(exchange(Register::priority, 64, 0xf8a0'0810) == 0);
    CHECK(world.state(Register::group, 0, 64, 0) == Status::ok);
    CHECK(world.call(Hypercall::interrupt_state, {1, 0, 0, 32ull << 32 | 64, 0}) == Status::bad_argument);
}

TEST_CASE("interrupt_state: bad arguments", "[irq][hypercall]") {
    World world;
    CHECK(world.state(Register::group, 0, 33, 0) == Status::bad_argument);
    CHECK(world.state(Register::priority, 0, 34, 0) == Status::bad_argument);
    CHECK(world.state(Register::config, 0, 40, 0) == Status::bad_argument);
    CHECK(world.state(Register::route, 0, 31, 0) == Status::bad_argument);
    CHECK(world.state(Register::group, 3, 0, 0) == Status::bad_argument);
    CHECK(world.state(Register::group, 0, 128, 0) == Status::bad_argument);
    CHECK(world.state(static_cast<Register>(11), 0, 32, 0) == Status::bad_argument);
    world.grant(2, 1, right::interrupt_line);
    CHECK(world.call(Hypercall::interrupt_state, {2, 0, 0, 32, 0}) == Status::no_right);
    world.a.partition.interrupts = nullptr; // a native partition
    CHECK(world.state(Register::group, 0, 32, 0) == Status::bad_argument);
    CHECK(world.state(Register::ctlr, 0, 0, 0) == Status::bad_argument);
}

TEST_CASE("a physical interrupt becomes a signal and fires again when acknowledged", "[irq][hypercall]") {
    Physical world;
    CHECK_FALSE(Physical::enabled());
    REQUIRE(world.call(Hypercall::interrupt_bind, {4, 5, Physical::bit, 0}) == Status::ok);
    CHECK(Physical::enabled());
    world.fire();
    REQUIRE(signalled.size() == 1);
    CHECK(signalled[0].first == &world.notification.notification);
    CHECK(signalled[0].second == 1u << Physical::bit);
    CHECK(World::deactivated() == spurious);
    CHECK(world.call(Hypercall::interrupt_control, {4, 0}) == Status::ok);
    CHECK(World::deactivated() == Physical::intid);
    hw::write<hw::IccDir>({spurious});
    CHECK(world.call(Hypercall::interrupt_control, {4, 0}) == Status::ok); // nothing to acknowledge
    CHECK(World::deactivated() == spurious);
    CHECK(world.call(Hypercall::interrupt_control, {4, 1}) == Status::ok);
    CHECK_FALSE(Physical::enabled());
    CHECK(world.call(Hypercall::interrupt_control, {4, 2}) == Status::ok);
    CHECK(Physical::enabled());
    CHECK(world.call(Hypercall::interrupt_control, {4, 3}) == Status::bad_argument);
}

TEST_CASE("a physical interrupt of a VM is ended by its guest", "[irq][hypercall]") {
    Physical world;
    Guest guest;
    world.open(world.a, 0, 60);
    REQUIRE(world.call(Hypercall::interrupt_bind, {4, 6, 60, 1}) == Status::ok);
    world.fire();
    World::enter();
    CHECK(Guest::list(60).get(IchLr::hw) == 1);
    CHECK(Guest::list(60).get(IchLr::pintid) == Physical::intid);
    CHECK(guest.handle() == 60);
    CHECK(ended_by_guest == std::vector<unsigned>{Physical::intid});
    // Set pending by software while the physical one is active: the core ends the physical one.
    world.fire();
    World::enter();
    CHECK(guest.acknowledge() == 60);
    world.state(Register::pending_set, 0, 32, 1 << 28);
    World::enter();
    CHECK(Guest::list(60).get(IchLr::hw) == 0);
    guest.end(60);
    CHECK(world.held(60));
    CHECK(guest.handle() == 60);
    CHECK_FALSE(world.held(60));
    // Cleared by software before it was seen.
    world.fire();
    World::enter();
    world.state(Register::pending_clear, 0, 32, 1 << 28);
    World::enter();
    CHECK(World::deactivated() == Physical::intid);
    CHECK(guest.handle() == spurious);
}

TEST_CASE("binding anew, or losing the VM, ends what is in progress", "[irq][hypercall]") {
    Physical world;
    world.open(world.a, 0, 60);
    REQUIRE(world.call(Hypercall::interrupt_bind, {4, 6, 60, 1}) == Status::ok);
    SECTION("another virtual interrupt") {
        world.fire();
        REQUIRE(world.call(Hypercall::interrupt_bind, {4, 6, 61, 1}) == Status::ok);
        World::enter();
        CHECK(World::deactivated() == Physical::intid);
        CHECK_FALSE(Guest::has(60));
        CHECK(Physical::enabled());
    }
    SECTION("a notification") {
        REQUIRE(world.call(Hypercall::interrupt_bind, {4, 5, 0, 0}) == Status::ok);
        world.fire();
        CHECK(signalled.size() == 1);
        CHECK(world.read(Register::pending_set, 0, 32) == 0);
    }
    SECTION("a second line for the same virtual interrupt") {
        Slot& second = objects.take_at(5, ObjectType::interrupt);
        second.interrupt = {};
        second.interrupt.intid = 51;
        objects.publish(second);
        REQUIRE(own_line(second));
        world.grant(7, 5, right::all);
        CHECK(world.call(Hypercall::interrupt_bind, {7, 6, 60, 1}) == Status::bad_state);
        CHECK(world.call(Hypercall::interrupt_bind, {4, 6, 60, 1}) == Status::ok); // as it was
    }
    SECTION("the VM goes") {
        world.fire();
        World::run(*world.b.vcpus[0]);
        release_interrupts(Core::self(), world.a.partition);
        CHECK(World::deactivated() == Physical::intid);
        hw::write<hw::IccDir>({spurious});
        objects.retire(objects.at(1));
        world.fire();
        CHECK(World::deactivated() == Physical::intid);
        CHECK_FALSE(Physical::enabled()); // nobody would quiet the device
    }
}

TEST_CASE("interrupt_bind and interrupt_control: bad arguments", "[irq][hypercall]") {
    Physical world;
    auto bind = [&](std::initializer_list<uint64_t> x) { return world.call(Hypercall::interrupt_bind, x); };
    CHECK(bind({4, 5, 64, 0}) == Status::bad_argument);
    CHECK(bind({4, 5, 0, 2}) == Status::bad_argument);
    CHECK(bind({4, 6, 31, 1}) == Status::bad_argument);
    CHECK(bind({4, 6, 128, 1}) == Status::bad_argument);
    CHECK(bind({4, 6, 0, 0}) == Status::bad_type);
    CHECK(bind({4, 5, 40, 1}) == Status::bad_type);
    CHECK(bind({5, 5, 0, 0}) == Status::bad_type);
    world.grant(8, 4, right::signal);
    CHECK(bind({4, 8, 0, 0}) == Status::no_right);
    world.grant(8, 3, right::acknowledge);
    CHECK(bind({8, 5, 0, 0}) == Status::no_right);
    world.grant(8, 3, right::bind);
    CHECK(world.call(Hypercall::interrupt_control, {8, 0}) == Status::no_right);
    CHECK(hypercall_gates[static_cast<unsigned>(Hypercall::interrupt_bind)].mutates); // its lock is the dispatcher's
}

TEST_CASE("the physical GIC: affinities, triggers, inter-processor interrupts", "[irq]") {
    World world;
    CHECK(gic::has_spi(127));
    CHECK_FALSE(gic::has_spi(128));
    CHECK_FALSE(gic::has_spi(31));
    gic::configure(50, true, 1);
    CHECK(*hw::pointer<uint64_t>({gicd + 0x6000 + 8 * 50}) == 1);
    CHECK(hw::device[gicd + 0xc00 + 12] == 2u << 4);
    CHECK(hw::device[gicd] == 0x12);
    CHECK(hw::device[gicd + 0x80 + 4] == ~0u);
    CHECK(hw::device[gicr + gicr_stride + 0x1'0100] == (1u << 0 | 1u << 23 | 1u << 25 | 1u << 26 | 1u << 27));
    gic::send_ipi(1);
    CHECK(hw::read<hw::IccSgi1r>().bits == 1 << 1);
    CHECK(world.core0.list_registers == 4);
    // Stray interrupts end; an SPI of nobody is masked.
    physical(world.core0, 70);
    CHECK(World::deactivated() == 70);
    CHECK(hw::device[gicd + 0x180 + 8] == 1u << 6);
    physical(world.core0, 5);
    CHECK(World::deactivated() == 5);
}
