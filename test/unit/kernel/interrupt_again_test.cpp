// SPDX-License-Identifier: MIT
// An edge that comes again, as SGIs do: back into the list register that still has the last one, and never lost or taken twice.
#include "interrupt_world.hpp"
#include "switch.hpp"

using namespace bulkhead;
using namespace bulkhead::test;

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
    SECTION("closed while active") {
        const auto [closes, opens, vcpu, with, without] = GENERATE(table<Register, Register, unsigned, uint64_t, uint64_t>({
            {Register::enable_clear, Register::enable_set, 1, 1 << Sent::sgi, 1 << Sent::sgi}, // the interrupt
            {Register::ctlr, Register::ctlr, 0, 0, 2},                                         // its group
        }));
        world.send();
        World::take_ipis(1);
        CHECK(world.acknowledge() == Sent::sgi);
        world.state(closes, vcpu, 0, with);
        World::take_ipis(1);
        world.end(Sent::sgi);
        REQUIRE(is(world.word(), VirtualInterrupt::listed));
        world.send();
        World::take_ipis(1);
        CHECK(world.acknowledge() == spurious);
        world.state(opens, vcpu, 0, without);
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
