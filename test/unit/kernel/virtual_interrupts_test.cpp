// SPDX-License-Identifier: MIT
// Virtual interrupts through list registers: what is delivered, in which order, and what comes back.
#include "interrupt_world.hpp"

using namespace bulkhead;
using namespace bulkhead::test;

TEST_CASE("a raised line is delivered once it is open", "[irq]") {
    World world;
    Guest guest;
    world.raise(40);
    CHECK(Guest::used() == 0);
    world.open(world.a, 0, 40);
    World::enter();
    REQUIRE(Guest::used() == 1);
    auto lr = Guest::list(40);
    CHECK(lr.get(IchLr::state) == IchLr::pending);
    CHECK(lr.get(IchLr::group) == 1);
    CHECK(lr.get(IchLr::priority) == 0xa0);
    CHECK(lr.get(IchLr::hw) == 0);
    CHECK(guest.acknowledge() == 40);
    CHECK(guest.acknowledge() == spurious);
}

TEST_CASE("a level interrupt whose line is still high is pending again after EOI", "[irq]") {
    World world;
    Guest guest;
    world.open(world.a, 0, 40);
    world.raise(40);
    CHECK(guest.handle() == 40);
    CHECK(Guest::state_of(40) == IchLr::pending);
    CHECK(guest.acknowledge() == 40);
    world.lower(40);
    CHECK(Guest::state_of(40) == IchLr::active);
    CHECK(Guest::list(40).get(IchLr::eoi) == 0); // no exit needed: nothing is to be raised again
    const unsigned before = Guest::maintenances;
    guest.end(40);
    CHECK(Guest::maintenances == before);
    CHECK(guest.handle() == spurious);
    CHECK_FALSE(deliverable(*world.a.vcpus[0]));
}

TEST_CASE("a line that rises while its interrupt is active is seen at EOI", "[irq]") {
    World world;
    Guest guest;
    world.open(world.a, 0, 40);
    world.raise(40);
    CHECK(guest.acknowledge() == 40);
    world.lower(40);
    world.raise(40);
    CHECK(Guest::state_of(40) == IchLr::active);
    guest.end(40);
    CHECK(guest.acknowledge() == 40);
}

TEST_CASE("a line that falls before the guest looks withdraws the interrupt", "[irq]") {
    World world;
    Guest guest;
    world.open(world.a, 0, 40);
    world.raise(40);
    REQUIRE(Guest::has(40));
    world.lower(40);
    CHECK_FALSE(Guest::has(40));
    CHECK(guest.acknowledge() == spurious);
}

TEST_CASE("an edge stays when the line falls, and one more while active follows", "[irq]") {
    World world;
    Guest guest;
    world.open(world.a, 0, 41, 0xa0, true);
    world.raise(41);
    world.lower(41);
    CHECK(guest.acknowledge() == 41);
    world.pulse(41);
    CHECK(Guest::state_of(41) == IchLr::pending_active);
    world.pulse(41); // two edges while one is pending are one
    guest.end(41);
    CHECK(guest.handle() == 41);
    CHECK(guest.handle() == spurious);
    world.raise(41);
    world.raise(41); // no new edge
    CHECK(guest.handle() == 41);
    CHECK(guest.handle() == spurious);
}

TEST_CASE("the most urgent comes first; a newcomer displaces what is less urgent", "[irq]") {
    World world;
    Guest guest;
    for (unsigned i = 0; i < 4; ++i) {
        world.open(world.a, 0, 40 + i, 0xa0 + 8 * i);
        world.raise(40 + i);
    }
    world.open(world.a, 0, 90, 0x80);
    world.raise(90);
    CHECK(Guest::used() == 4);
    CHECK(Guest::has(90));
    CHECK_FALSE(Guest::has(43));
    std::vector<unsigned> order;
    for (unsigned i = 0; i < 5; ++i) {
        order.push_back(guest.acknowledge());
        world.lower(order.back());
        guest.end(order.back());
    }
    CHECK(order == std::vector<unsigned>{90, 40, 41, 42, 43});
    CHECK(guest.acknowledge() == spurious);
}

TEST_CASE("more pending than list registers: all are delivered, by priority", "[irq]") {
    World world;
    Guest guest;
    std::vector<unsigned> expected, order;
    for (unsigned i = 0; i < 31; ++i) {
        world.open(world.a, 0, 32 + i, (31 - i) * 8, true); // the last one raised is the most urgent
        world.pulse(32 + i);
    }
    for (unsigned i = 31; i-- > 0;) { expected.push_back(32 + i); }
    for (unsigned i = 0; i < 31; ++i) { order.push_back(guest.handle()); }
    CHECK(order == expected);
    CHECK(guest.handle() == spurious);
    CHECK(world.a.vcpus[0]->interrupts.queue.empty());
    CHECK(hw::read<IchHcrEl2>() == IchHcrEl2::en(1));
}

TEST_CASE("more active than list registers: nested ones all come back to be ended", "[irq]") {
    World world;
    Guest guest;
    std::vector<unsigned> taken;
    for (unsigned i = 0; i < 10; ++i) {
        world.open(world.a, 0, 40 + i, 0xf0 - 8 * (i + 1), true);
        world.pulse(40 + i);
        taken.push_back(guest.acknowledge());
        CHECK(taken.back() == 40 + i);
    }
    while (!taken.empty()) {
        CHECK(world.read(Register::active_set, 0, 32) >> (taken.back() - 32) & 1);
        World::enter();
        guest.end(taken.back());
        CHECK_FALSE(world.read(Register::active_set, 0, 32) >> (taken.back() - 32) & 1);
        World::enter();
        taken.pop_back();
    }
    CHECK(Guest::used() == 0);
    CHECK(world.a.vcpus[0]->interrupts.parked.empty());
}

TEST_CASE("many acknowledged and dropped before they are deactivated (EOImode 1)", "[irq]") {
    World world;
    Guest guest;
    for (unsigned i = 0; i < 8; ++i) {
        world.open(world.a, 0, 40 + i, 0xa0, true);
        world.pulse(40 + i);
    }
    for (unsigned i = 0; i < 8; ++i) {
        CHECK(guest.acknowledge() == 40 + i);
        guest.drop();
    }
    CHECK(world.read(Register::active_set, 0, 32) == 0xff00);
    World::enter();
    for (unsigned i = 0; i < 8; ++i) { guest.deactivate(40 + i); }
    CHECK(world.read(Register::active_set, 0, 32) == 0);
}

TEST_CASE("disabling takes an interrupt out of its list register, enabling puts it back", "[irq]") {
    World world;
    Guest guest;
    world.open(world.a, 0, 40, 0xa0, true);
    world.pulse(40);
    REQUIRE(Guest::has(40));
    CHECK(world.state(Register::enable_clear, 0, 32, 1 << 8) == Status::ok);
    World::enter();
    CHECK_FALSE(Guest::has(40));
    CHECK(world.read(Register::pending_set, 0, 32) == 1 << 8);
    CHECK(world.state(Register::enable_set, 0, 32, 1 << 8) == Status::ok);
    World::enter();
    CHECK(guest.handle() == 40);
}

TEST_CASE("a disabled interrupt that is active can be ended", "[irq]") {
    World world;
    Guest guest;
    world.open(world.a, 0, 40);
    world.raise(40);
    CHECK(guest.acknowledge() == 40);
    world.state(Register::enable_clear, 0, 32, 1 << 8);
    World::enter();
    CHECK(Guest::state_of(40) == IchLr::active);
    guest.end(40);
    CHECK(guest.acknowledge() == spurious); // its line is high
    CHECK(world.read(Register::pending_set, 0, 32) == 1 << 8);
}

TEST_CASE("group 0 is never delivered; group 1 only while the distributor forwards it", "[irq]") {
    World world;
    Guest guest;
    world.open(world.a, 0, 40);
    world.raise(40);
    world.state(Register::group, 0, 32, 0);
    World::enter();
    CHECK_FALSE(Guest::has(40));
    CHECK_FALSE(deliverable(*world.a.vcpus[0]));
    world.state(Register::group, 0, 32, 1 << 8);
    World::enter();
    REQUIRE(Guest::has(40));
    world.state(Register::ctlr, 0, 0, 1);
    CHECK(world.last == 2);
    World::enter();
    CHECK_FALSE(Guest::has(40));
    CHECK_FALSE(deliverable(*world.a.vcpus[0]));
    CHECK_FALSE(hw::read<IchHcrEl2>().get(IchHcrEl2::npie));
    world.state(Register::ctlr, 0, 0, 2);
    World::enter();
    CHECK(guest.acknowledge() == 40);
}

TEST_CASE("a new priority moves what waits and what is listed", "[irq]") {
    World world;
    Guest guest;
    world.open(world.a, 0, 40, 0xa0, true);
    world.open(world.a, 0, 41, 0xa0, true);
    world.pulse(40);
    world.pulse(41);
    world.state(Register::priority, 0, 40, 0xa0 | 0x50 << 8);
    CHECK(world.last == 0xa0a0);
    World::enter();
    CHECK(guest.handle() == 41);
    CHECK(guest.handle() == 40);
}

TEST_CASE("WFI: what is masked by the guest's CPU interface does not wake it", "[irq]") {
    World world;
    Vcpu& vcpu = *world.a.vcpus[0];
    world.open(world.a, 0, 40, 0xa0);
    world.raise(40);
    CHECK(deliverable(vcpu)); // in a list register
    hw::write<hw::IchVmcr>({0xa0u << 24 | 2});
    CHECK_FALSE(deliverable(vcpu));
    hw::write<hw::IchVmcr>({0xf0u << 24});
    CHECK_FALSE(deliverable(vcpu));
    World::run(*world.b.vcpus[0]);
    CHECK_FALSE(deliverable(vcpu));
    vcpu.lazy.ich_vmcr = 0xf0u << 24 | 2;
    CHECK(deliverable(vcpu)); // in its queue
}

TEST_CASE("a vCPU that waits is woken by an interrupt for it, on any core", "[irq]") {
    World world;
    world.open(world.a, 2, 20, 0xa0);
    world.a.vcpus[2]->state = VcpuState::waiting;
    world.line(20, Line::raise, 2);
    CHECK(woken == std::vector<const Vcpu*>{world.a.vcpus[2].get()});
    World::on(1);
    world.line(20, Line::lower, 2);
    world.line(20, Line::raise, 2);
    CHECK(inbox.back() == world.a.vcpus[2].get());
}

TEST_CASE("a virtual SError is given to its vCPU and ends when the guest takes it", "[irq]") {
    World world;
    Vcpu& vcpu = *world.a.vcpus[2];
    hw::write<hw::IdAa64Pfr0>({1ull << 28});
    inject_serror(vcpu, 0x1234);
    CHECK(deliverable(vcpu));
    World::run(vcpu);
    CHECK(hw::read<hw::VsesrEl2>().bits == 0x1234);
    hw::write<HcrEl2>({vcpu.controls.hcr});
    leave_slowly(vcpu);
    CHECK(vcpu.controls.hcr & HcrEl2::vse.mask);
    hw::write<HcrEl2>({vcpu.controls.hcr & ~HcrEl2::vse.mask});
    leave_slowly(vcpu);
    CHECK_FALSE(vcpu.controls.hcr & HcrEl2::vse.mask);
}
