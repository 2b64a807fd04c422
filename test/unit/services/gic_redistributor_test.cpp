// SPDX-License-Identifier: MIT
// The redistributors, SGIs, and what concerns the whole GIC: decoding, locks, reset, restart.
#include "gic_machine.hpp"
#include <algorithm>

using namespace gic_test;

TEST_CASE("a redistributor has neither IGRPMODR nor NSACR nor SPIs", "[gic][redistributor]") {
    Machine machine;
    const auto offset = GENERATE(0x084, 0x104, 0x184, 0x204, 0x284, 0x304, 0x384, 0x420, 0xc08, 0xd00, 0xd04, 0xe00);
    CAPTURE(offset);
    machine.write(sgi + offset, 0xffff'ffff);
    CHECK(machine.read(sgi + offset) == 0);
    CHECK(machine.take().empty());
}

TEST_CASE("GICR_TYPER identifies the vCPU", "[gic][redistributor]") {
    Machine machine;
    CHECK(machine.read(gicr + 8, 8) == 0x0000'0000'0000'0000);
    CHECK(machine.read(gicr + stride + 8, 8) == 0x0000'0001'0000'0100);
    CHECK(machine.read(gicr + 2 * stride + 8, 8) == 0x0102'0311'0000'0210); // Last
    CHECK(machine.read(gicr + 2 * stride + 8) == 0x0000'0210);
    CHECK(machine.read(gicr + 2 * stride + 12) == 0x0102'0311);
    CHECK(machine.read(gicr + 8, 2) == 0);
}

TEST_CASE("GICR_WAKER: ChildrenAsleep follows ProcessorSleep", "[gic][redistributor]") {
    Machine machine;
    CHECK(machine.read(gicr + 0x14) == 6);
    machine.write(gicr + 0x14, 0);
    CHECK(machine.read(gicr + 0x14) == 0);
    CHECK(machine.read(gicr + stride + 0x14) == 6);
    machine.write(gicr + 0x14, 4); // ChildrenAsleep is read-only
    CHECK(machine.read(gicr + 0x14) == 0);
    machine.write(gicr + 0x14, 2);
    CHECK(machine.read(gicr + 0x14) == 6);
    machine.write(gicr + 0x14, 0, 1);
    CHECK(machine.read(gicr + 0x14) == 6);
}

TEST_CASE("the rest of RD_base is RAZ/WI without LPIs", "[gic][redistributor]") {
    Machine machine;
    const auto offset = GENERATE(0x00, 0x10, 0x18, 0x40, 0x48, 0x70, 0x78, 0xa0, 0xb0, 0xc0);
    machine.write(gicr + offset, 0xffff'ffff);
    CHECK(machine.read(gicr + offset) == 0);
    CHECK(machine.read(gicr + offset, 8) == 0);
    CHECK(machine.take().empty());
}

TEST_CASE("outside of the frames nothing answers", "[gic][decode]") {
    Machine machine;
    for (auto ipa : {gicd - 4, gicd + 0x1'0000, gicr - 4, gicr + 3 * stride, gicr + 3 * stride + 0x14, ~0ul - 3}) {
        machine.write(ipa, ~0u);
        CHECK(machine.read(ipa) == 0);
    }
    CHECK(machine.take().empty());
}

namespace {

constexpr uint64_t sgi_value(unsigned intid, uint64_t list, uint32_t cluster = 0, unsigned range = 0) {
    return uint64_t(cluster >> 16) << 48 | uint64_t(range) << 44 | uint64_t(cluster >> 8 & 0xff) << 32 | intid << 24 |
           uint64_t(cluster & 0xff) << 16 | list;
}
constexpr uint64_t irm = 1ull << 40;

/// All SGIs of all vCPUs in Group 1.
Machine with_group_one() {
    Machine machine;
    for (unsigned vcpu = 0; vcpu < 3; ++vcpu) { machine.write(sgi + vcpu * stride + 0x80, 0xffff); }
    machine.take();
    return machine;
}

} // namespace

TEST_CASE("an SGI goes to the vCPUs of the target list", "[gic][sgi]") {
    auto machine = with_group_one();
    auto send = [&](uint64_t value) { return machine.send(1, 0, value); };
    CHECK(send(sgi_value(3, 0b10)) == Pulses{{1, 3}});
    CHECK(send(sgi_value(15, 0b11)) == Pulses{{0, 15}, {1, 15}});
    CHECK(send(sgi_value(0, 0)).empty());
    CHECK(send(sgi_value(0, 0xfffc)).empty());                      // nobody has these
    CHECK(send(sgi_value(7, 0b10, 0x010203, 1)) == Pulses{{2, 7}}); // Aff0 17
    CHECK(send(sgi_value(7, 0b10, 0x010203, 0)).empty());
    CHECK(send(sgi_value(7, 0b10, 0x000203, 1)).empty());
    CHECK(send(sgi_value(7, 0b10, 0x010003, 1)).empty());
    CHECK(send(sgi_value(7, 0b10, 0x010200, 1)).empty());
    CHECK(send(sgi_value(7, 0b01, 0, 1)).empty());
}

TEST_CASE("IRM sends an SGI to all but the sender", "[gic][sgi]") {
    auto machine = with_group_one();
    CHECK(machine.send(1, 1, irm | sgi_value(2, 0xffff, 0x555555, 5)) == Pulses{{0, 2}, {2, 2}}); // the rest is ignored
}

TEST_CASE("an SGI reaches a target only in the group that it is of there", "[gic][sgi]") {
    Machine machine;
    machine.write(sgi + stride + 0x80, 1 << 4); // SGI 4 is Group 1 at vCPU 1, Group 0 elsewhere
    machine.take();
    CHECK(machine.send(1, 0, sgi_value(4, 0b11)) == Pulses{{1, 4}});
    CHECK(machine.send(0, 0, sgi_value(4, 0b11)) == Pulses{{0, 4}});
}

TEST_CASE("where affinities are the vCPUs' indices, a target list is vCPUs, and the rest of an SGI counts", "[gic][sgi]") {
    auto machine = with_group_one();
    machine.vm.note_affinities();
    CHECK(machine.vm.by_index == 0); // vCPU 2 is 1.2.3.17
    machine.vm.affinity[2] = 2;
    machine.vm.note_affinities();
    CHECK(machine.vm.by_index == 0x0f00'0007);
    CHECK(machine.send(1, 0, sgi_value(3, 0b110)) == Pulses{{1, 3}, {2, 3}});
    CHECK(machine.send(1, 2, sgi_value(15, 0b100)) == Pulses{{2, 15}}); // itself
    CHECK(machine.send(1, 0, sgi_value(3, 0xfffc)) == Pulses{{2, 3}});  // nobody has the others
    CHECK(machine.send(1, 0, sgi_value(3, 0)).empty());
    CHECK(machine.send(1, 0, sgi_value(3, 0b10, 0x010000)).empty());
    CHECK(machine.send(1, 0, sgi_value(3, 0b10, 0x000100)).empty());
    CHECK(machine.send(1, 0, sgi_value(3, 0b10, 0x000001)).empty());
    CHECK(machine.send(1, 0, sgi_value(3, 0b10, 0, 1)).empty());
    CHECK(machine.send(1, 0, irm | sgi_value(3, 0)) == Pulses{{1, 3}, {2, 3}});
    CHECK(machine.send(0, 0, sgi_value(3, 0b10)).empty());                                     // of Group 1
    CHECK(machine.send(1, 0, 1ull << 41 | 1ull << 28 | sgi_value(3, 0b10)) == Pulses{{1, 3}}); // reserved bits
}

TEST_CASE("only writes of one step go without the lock", "[gic][lock]") {
    Machine machine;
    for (auto ipa : {gicd, gicd + 0x84, gicd + 0x420, gicd + 0xc08, gicd + 0x6100, sgi + 0x80, sgi + 0x403}) {
        CHECK(machine.controller().needs_lock(ipa));
    }
    for (auto ipa : {gicd + 0x104, gicd + 0x184, gicd + 0x204, gicd + 0x284, gicd + 0x304, gicd + 0x384, sgi + 0x280}) {
        CHECK_FALSE(machine.controller().needs_lock(ipa));
    }
}

TEST_CASE("reset brings back the power-on state, in the core too", "[gic][reset]") {
    auto machine = with_group_one();
    machine.write(gicd, 3);
    machine.write(gicd + 0x84, ~0u);
    machine.write(gicd + 0x104, ~0u);
    machine.write(gicd + 0x420, ~0u);
    machine.write(gicd + 0xc08, ~0u);
    machine.write(gicd + 0x6100, 1, 8);
    machine.write(gicr + 0x14, 0);
    machine.write(sgi + stride + 0x200, ~0u);
    machine.take();
    machine.controller().reset();
    const auto writes = machine.take();
    const auto wrote = [&](Written w) { return std::find(writes.begin(), writes.end(), w) != writes.end(); };
    CHECK(writes.front() == Written{Register::ctlr, 0, 0, 0});
    for (unsigned vcpu = 0; vcpu < 3; ++vcpu) {
        CHECK(wrote({Register::enable_clear, vcpu, 0, ~0u}));
        CHECK(wrote({Register::config, vcpu, 0, 0xaaaa'aaaa}));
        CHECK(wrote({Register::config, vcpu, 16, 0}));
        CHECK(wrote({Register::priority, vcpu, 28, 0}));
        CHECK(wrote({Register::group, vcpu, 0, 0}));
    }
    CHECK(wrote({Register::active_clear, 0, 64, ~0u}));
    CHECK(wrote({Register::config, 0, 80, 0}));
    CHECK(wrote({Register::priority, 0, 92, 0}));
    for (unsigned intid = 32; intid < 96; ++intid) { CHECK(wrote({Register::route, 0, intid, 0})); }
    CHECK(machine.read(gicd) == 0x50);
    CHECK(machine.read(gicd + 0x84) == 0);
    CHECK(machine.read(gicd + 0x104) == 0);
    CHECK(machine.read(gicd + 0x420) == 0);
    CHECK(machine.read(gicd + 0xc08) == 0);
    CHECK(machine.read(gicd + 0x6100, 8) == 0);
    CHECK(machine.read(gicr + 0x14) == 6);
    CHECK(machine.read(sgi + stride + 0x200) == 0);
    CHECK(machine.read(sgi + 0x80) == 0);
}

TEST_CASE("a restarted service finds the guest's configuration", "[gic][restart]") {
    Machine machine;
    machine.write(gicd + 0x6108, 0x0000'0005, 8);
    machine.write(gicd + 0x420, 0x8040'2010);
    machine.write(gicd + 0x420, 0x8040'2010); // the same write, delivered again
    gic::Controller<Core> again{Core{&machine.fake}, machine.vm, *machine.state};
    CHECK(again.read(gicd + 0x6108, 8) == 5);
    CHECK(again.read(gicd + 0x420, 4) == 0x8040'2010);
}

TEST_CASE("a repeated request is known by its sequence number", "[gic][restart]") {
    Machine machine;
    CHECK_FALSE(machine.state->was_done(0, true, 0));
    machine.state->note_done(0, 0);
    CHECK(machine.state->was_done(0, true, 0));
    CHECK_FALSE(machine.state->was_done(0, false, 0)); // a VM that starts afresh counts afresh
    CHECK_FALSE(machine.state->was_done(0, true, 1));
    CHECK_FALSE(machine.state->was_done(1, true, 0));
}
