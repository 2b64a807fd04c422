// SPDX-License-Identifier: MIT
// The distributor of a VM, register by register.
#include "gic_machine.hpp"
#include <tuple>

using namespace gic_test;

TEST_CASE("GICD_CTLR holds the two enables; ARE and DS read as one", "[gic][distributor]") {
    Machine machine;
    CHECK(machine.read(gicd) == 0x50);
    machine.write(gicd, 0xffff'ffff);
    CHECK(machine.read(gicd) == 0x53);
    CHECK(machine.take() == Writes{{Register::ctlr, 0, 0, 3}});
    machine.write(gicd, 2);
    CHECK(machine.read(gicd) == 0x52);
}

TEST_CASE("GICD_TYPER follows the number of SPIs", "[gic][distributor]") {
    Machine machine;
    const auto typer = machine.read(gicd + 4);
    CHECK((typer & 0x1f) == 2);       // ITLinesNumber: INTIDs below 96
    CHECK((typer >> 5 & 7) == 0);     // CPUNumber: affinity routing only
    CHECK((typer >> 10 & 1) == 0);    // SecurityExtn
    CHECK((typer >> 16 & 3) == 0);    // MBIS, LPIS
    CHECK((typer >> 19 & 0x1f) == 9); // IDbits: 10
    CHECK((typer >> 24 & 1) == 1);    // A3V
    CHECK((typer >> 25 & 1) == 0);    // No1N
    CHECK((typer >> 26 & 1) == 1);    // RSS
    machine.vm.spis = 224;
    CHECK((machine.read(gicd + 4) & 0x1f) == 7);
    machine.vm.spis = 0;
    CHECK((machine.read(gicd + 4) & 0x1f) == 0);
    machine.write(gicd + 4, 0xffff'ffff);
    CHECK(machine.take().empty());
}

TEST_CASE("both frames carry the identification of an Arm GICv3", "[gic][identification]") {
    Machine machine;
    for (auto frame : {gicd, gicr, gicr + stride}) {
        const std::vector<unsigned> expected{0x44, 0, 0, 0, 0x92, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1};
        for (unsigned i = 0; i < expected.size(); ++i) { CHECK(machine.read(frame + 0xffd0 + 4 * i) == expected[i]); }
        CHECK((machine.read(frame + 0xffe8) >> 4 & 0xf) == 3); // ArchRev
        CHECK(machine.read(frame + 0xffd0, 1) == 0);
    }
    CHECK((machine.read(gicd + 8) & 0xfff) == 0x43b);
    CHECK((machine.read(gicr + 4) & 0xfff) == 0x43b);
}

TEST_CASE("what a VM without LPIs, security and message interrupts does not have is RAZ/WI", "[gic][reserved]") {
    Machine machine;
    const auto offset = GENERATE(0x00c, 0x010, 0x040, 0x048, 0x050, 0x058, 0x804, 0x820, 0x87c, 0xd04, 0xd00, 0xe00, 0xe08, 0xf00,
                                 0xf10, 0xf20, 0xfffc - 0x40);
    CAPTURE(offset);
    machine.write(gicd + offset, 0xffff'ffff);
    CHECK(machine.read(gicd + offset) == 0);
    CHECK(machine.take().empty());
}

TEST_CASE("the distributor has no registers for SGIs and PPIs, nor beyond its SPIs", "[gic][distributor]") {
    Machine machine;
    const auto offset = GENERATE(0x080, 0x100, 0x180, 0x200, 0x280, 0x300, 0x380, 0x400, 0x41c, 0xc00, 0xc04, // private
                                 0x08c, 0x10c, 0x18c, 0x20c, 0x28c, 0x30c, 0x38c, 0x460, 0xc18,               // beyond
                                 0x0fc, 0x17c, 0x3fc, 0x7fc, 0xcfc);
    CAPTURE(offset);
    machine.write(gicd + offset, 0xffff'ffff);
    CHECK(machine.read(gicd + offset) == 0);
    CHECK(machine.take().empty());
}

TEST_CASE("set and clear registers act on ones and read the same state", "[gic][fields]") {
    Machine machine;
    struct Pair {
        unsigned set, clear;
        Register set_register, clear_register;
    };
    const auto pair = GENERATE(Pair{0x100, 0x180, Register::enable_set, Register::enable_clear},
                               Pair{0x200, 0x280, Register::pending_set, Register::pending_clear},
                               Pair{0x300, 0x380, Register::active_set, Register::active_clear});
    struct Frame {
        uint64_t base;
        unsigned vcpu, first;
    };
    const auto frame = GENERATE(Frame{gicd + 4, 0, 32}, Frame{gicd + 8, 0, 64}, Frame{sgi, 0, 0}, Frame{sgi + stride, 1, 0},
                                Frame{sgi + 2 * stride, 2, 0});
    machine.write(frame.base + pair.set, 0x8000'0011);
    CHECK(machine.read(frame.base + pair.set) == 0x8000'0011);
    CHECK(machine.read(frame.base + pair.clear) == 0x8000'0011);
    machine.write(frame.base + pair.clear, 0x0000'0010);
    CHECK(machine.read(frame.base + pair.set) == 0x8000'0001);
    machine.write(frame.base + pair.set, 0);
    machine.write(frame.base + pair.clear, 0);
    CHECK(machine.take() ==
          Writes{{pair.set_register, frame.vcpu, frame.first, 0x8000'0011}, {pair.clear_register, frame.vcpu, frame.first, 0x10}});
    for (unsigned size : {1u, 2u, 8u}) {
        machine.write(frame.base + pair.clear, 1, size);
        CHECK(machine.read(frame.base + pair.set, size) == 0);
    }
    CHECK(machine.take().empty());
}

TEST_CASE("IGROUPR reads back what was written", "[gic][fields]") {
    Machine machine;
    machine.write(gicd + 0x84, 0x1234'5678);
    machine.write(sgi + stride + 0x80, 0xffff'0000);
    CHECK(machine.read(gicd + 0x84) == 0x1234'5678);
    CHECK(machine.read(gicd + 0x88) == 0);
    CHECK(machine.read(sgi + stride + 0x80) == 0xffff'0000);
    CHECK(machine.read(sgi + 0x80) == 0);
    CHECK(machine.read(sgi + stride + 0x84) == 0); // IGROUPR1E: no extended PPIs
    CHECK(machine.take() == Writes{{Register::group, 0, 32, 0x1234'5678}, {Register::group, 1, 0, 0xffff'0000}});
}

TEST_CASE("IPRIORITYR takes words and bytes and keeps five bits", "[gic][priority]") {
    Machine machine;
    const auto [base, vcpu, first] = GENERATE(std::tuple(gicd + 0x424, 0u, 36u), std::tuple(sgi + stride + 0x41c, 1u, 28u));
    machine.write(base, 0xffa7'0811);
    CHECK(machine.read(base) == 0xf8a0'0810);
    machine.write(base + 1, 0x5f, 1);
    CHECK(machine.read(base) == 0xf8a0'5810);
    CHECK(machine.read(base + 0, 1) == 0x10);
    CHECK(machine.read(base + 1, 1) == 0x58);
    CHECK(machine.read(base + 3, 1) == 0xf8);
    CHECK(machine.take() == Writes{{Register::priority, vcpu, first, 0xf8a0'0810}, {Register::priority, vcpu, first, 0xf8a0'5810}});
    for (unsigned size : {2u, 8u}) {
        machine.write(base, 0, size);
        CHECK(machine.read(base, size) == 0);
    }
    machine.write(base + 2, 0); // a word, misaligned
    CHECK(machine.take().empty());
    CHECK(machine.read(base) == 0xf8a0'5810);
}

TEST_CASE("ICFGR holds the upper bit of each pair", "[gic][config]") {
    Machine machine;
    machine.write(gicd + 0xc08, 0xffff'ffff);
    machine.write(gicd + 0xc14, 0x8000'0001);
    CHECK(machine.read(gicd + 0xc08) == 0xaaaa'aaaa);
    CHECK(machine.read(gicd + 0xc0c) == 0);
    CHECK(machine.read(gicd + 0xc14) == 0x8000'0000);
    CHECK(machine.take() == Writes{{Register::config, 0, 32, 0xaaaa'aaaa}, {Register::config, 0, 80, 0x8000'0000}});
}

TEST_CASE("SGIs are edge-triggered and PPIs level-sensitive, always", "[gic][config]") {
    Machine machine;
    machine.write(sgi + 0xc00, 0);
    machine.write(sgi + 0xc04, 0xffff'ffff);
    CHECK(machine.read(sgi + 0xc00) == 0xaaaa'aaaa);
    CHECK(machine.read(sgi + 0xc04) == 0);
    CHECK(machine.take().empty());
}

TEST_CASE("IROUTER names a vCPU by its affinity", "[gic][route]") {
    Machine machine;
    machine.write(gicd + 0x6100, 1, 8);
    machine.write(gicd + 0x6108, 0x01'0002'0311, 8);
    machine.write(gicd + 0x6110, 0x8000'0000, 8); // any vCPU
    machine.write(gicd + 0x6118, 0x0000'0005, 8); // none has it
    machine.write(gicd + 0x6120, ~0ull, 8);
    CHECK(machine.read(gicd + 0x6100, 8) == 1);
    CHECK(machine.read(gicd + 0x6108, 8) == 0x01'0002'0311);
    CHECK(machine.read(gicd + 0x6110, 8) == 0x8000'0000);
    CHECK(machine.read(gicd + 0x6118, 8) == 5);
    CHECK(machine.read(gicd + 0x6120, 8) == 0xff'80ff'ffff);
    CHECK(machine.take() == Writes{{Register::route, 0, 32, 1},
                                   {Register::route, 0, 33, 2},
                                   {Register::route, 0, 34, 0xff},
                                   {Register::route, 0, 35, 0xfe},
                                   {Register::route, 0, 36, 0xff}});
}

TEST_CASE("IROUTER can be written by halves", "[gic][route]") {
    Machine machine;
    machine.write(gicd + 0x6108, 0x0002'0311);
    CHECK(machine.take() == Writes{{Register::route, 0, 33, 0xfe}});
    machine.write(gicd + 0x610c, 1);
    CHECK(machine.take() == Writes{{Register::route, 0, 33, 2}});
    CHECK(machine.read(gicd + 0x6108) == 0x0002'0311);
    CHECK(machine.read(gicd + 0x610c) == 1);
    machine.write(gicd + 0x6108, 0);
    CHECK(machine.read(gicd + 0x6108, 8) == 0x01'0000'0000);
    for (unsigned size : {1u, 2u}) {
        machine.take();
        machine.write(gicd + 0x6108, 1, size);
        CHECK(machine.take().empty());
        CHECK(machine.read(gicd + 0x610c, size) == 0);
    }
}

TEST_CASE("IROUTER exists for SPIs only", "[gic][route]") {
    Machine machine;
    const auto offset = GENERATE(0x6000, 0x60f8, 0x6100 + 64 * 8, 0x7fd8, 0x7ff8);
    machine.write(gicd + offset, 1, 8);
    CHECK(machine.read(gicd + offset, 8) == 0);
    CHECK(machine.take().empty());
}

TEST_CASE("MPIDR to affinity leaves the other bits out", "[gic][route]") {
    CHECK(gic::affinity_of(0x0000'0001'8000'0000) == 0x0100'0000);
    CHECK(gic::affinity_of(0x0000'0004'c102'0304) == 0x0402'0304);
}
