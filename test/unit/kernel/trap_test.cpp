// SPDX-License-Identifier: MIT
// What a trapped instruction becomes: the message, whom it goes to, the answer in the registers; or a fault, or an exception.
#include "machine.hpp"

namespace bulkhead::test {

namespace {

constexpr uint64_t device_ipa = 0x0900'0000;
constexpr uint64_t isv = 1u << 24, wnr = 1u << 6;

/// A guest, and a service for each of its traps, which has the trap's number as its badge.
struct Routing : Machine {
    Vcpu& server = vcpu(native("service"), 0, 20);
    Vcpu& guest = vcpu(vm("guest"));
    Vcpu& program = vcpu(native("program"));
    ObjectRef door = endpoint({&server});

    Routing() {
        device(*guest.partition, device_ipa, door, 99);
        for (unsigned n = 0; n < static_cast<unsigned>(abi::Trap::count); ++n) { trap(*guest.partition, abi::Trap{n}, door, n); }
        serve(server);
        run(guest);
    }
    void run(Vcpu& vcpu) {
        start(vcpu);
        REQUIRE(go() == &vcpu);
    }
};

constexpr uint64_t system_register(unsigned op0, unsigned op1, unsigned crn, unsigned crm, unsigned op2, unsigned rt, bool read) {
    return ec::msr << 26 | il | op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | rt << 5 | crm << 1 | uint64_t{read};
}

} // namespace

TEST_CASE("what a load brings has the width and sign of its instruction", "[decode]") {
    Routing m;
    struct Case {
        unsigned size;
        bool sign, wide;
        uint64_t answered, loaded;
    };
    const Case one = GENERATE(values<Case>({{1, false, true, 0xffff'ff80, 0x80},
                                            {1, true, true, 0x80, 0xffff'ffff'ffff'ff80},
                                            {1, true, false, 0x80, 0xffff'ff80},
                                            {1, true, true, 0x17f, 0x7f},
                                            {2, false, true, 0x1'8001, 0x8001},
                                            {2, true, true, 0x8001, 0xffff'ffff'ffff'8001},
                                            {2, true, false, 0x8001, 0xffff'8001},
                                            {4, false, false, 0xffff'ffff'8000'0001, 0x8000'0001},
                                            {4, true, true, 0x8000'0001, 0xffff'ffff'8000'0001},
                                            {4, true, true, 0x7000'0001, 0x7000'0001},
                                            {8, false, true, ~0ull, ~0ull}}));
    const unsigned rt = GENERATE(0u, 30u, 31u);
    CAPTURE(one.size, one.sign, one.wide, rt);
    for (unsigned n = 0; n < 31; ++n) { m.cpu().x[n] = n == 19 ? m.x(19) : 0xdead'0000'0000'0000 + n; }
    const uint64_t before = m.pc();
    REQUIRE(m.sync(access_esr(one.size, false, rt, one.sign, one.wide), 0xffff'0000'0000'0123, device_ipa) == &m.server);
    CHECK(m.word(0) == device_ipa + 0x123); // the page of HPFAR, the offset of FAR
    CHECK(m.tag().size() == one.size);
    const uint64_t deadline = GENERATE(no_deadline, 9'000'000); // a new one is not for the short way
    REQUIRE(m.reply(ReplyTag::make(Action::advance).bits, {one.answered}, deadline) == &m.guest);
    for (unsigned n = 0; n < 31; ++n) {
        if (n != 19) { CHECK(m.x(n) == (n == rt ? one.loaded : 0xdead'0000'0000'0000 + n)); }
    }
    CHECK(m.pc() == before + 4);
}

TEST_CASE("what a store sends is as wide as its instruction, and register 31 is zero", "[decode]") {
    Routing m;
    const unsigned size = GENERATE(1u, 2u, 4u, 8u), rt = GENERATE(0u, 30u, 31u);
    if (rt != 31) { m.cpu().x[rt] = 0x8899'aabb'ccdd'eeff; }
    REQUIRE(m.sync(access_esr(size, true, rt), 0x8, device_ipa) == &m.server);
    CHECK(m.tag().kind() == Kind::mmio_write);
    CHECK(m.tag().size() == size);
    CHECK(m.word(0) == device_ipa + 8);
    CHECK(m.word(1) == (rt == 31 ? 0 : 0x8899'aabb'ccdd'eeff & ~0ull >> (64 - 8 * size)));
    CHECK(m.guest.accesses() == 1);
}

TEST_CASE("the PC moves past the instruction, 2 or 4 bytes, and PSTATE loses what execution clears", "[decode]") {
    constexpr uint64_t ss = 1u << 21, btype = 3u << 10, flags = 0xf000'0000, aarch32_thumb = 0x30;
    Context context{};
    context.pc = 0x1000;
    SECTION("AArch64") {
        context.pstate = flags | ss | btype | 5;
        advance(context, il);
        CHECK(context.pc == 0x1004);
        CHECK(context.pstate == (flags | 5));
    }
    SECTION("AArch32, a narrow instruction within an IT block of three more") {
        const auto it = [](uint64_t bits) { return (bits & 0xfc) << 8 | (bits & 3) << 25; };
        context.pstate = aarch32_thumb | it(0b1010'0111);
        advance(context, 0);
        CHECK(context.pc == 0x1002);
        CHECK(context.pstate == (aarch32_thumb | it(0b1010'1110)));
        advance(context, 0), advance(context, 0);
        CHECK(context.pstate == (aarch32_thumb | it(0b1011'1000)));
        advance(context, 0);
        CHECK(context.pstate == aarch32_thumb);
    }
}

TEST_CASE("each system register goes to the endpoint of its kind", "[decode][routing]") {
    using abi::Trap;
    Routing m;
    struct Case {
        unsigned op0, op1, crn, crm, op2;
        Trap trap;
    };
    const Case one = GENERATE(values<Case>({{3, 3, 14, 2, 1, Trap::timer},     // CNTP_CTL_EL0
                                            {3, 7, 14, 2, 2, Trap::timer},     // CNTPS_CVAL_EL1
                                            {3, 0, 12, 11, 5, Trap::gic},      // ICC_SGI1R_EL1
                                            {3, 0, 4, 6, 0, Trap::gic},        // ICC_PMR_EL1
                                            {3, 3, 9, 12, 0, Trap::sysreg},    // PMCR_EL0
                                            {2, 0, 1, 0, 4, Trap::sysreg},     // OSLAR_EL1
                                            {2, 0, 14, 0, 6, Trap::sysreg},    // not a timer: op0 2
                                            {1, 0, 7, 14, 2, Trap::sysreg}})); // DC CISW
    const bool read = GENERATE(false, true);
    const unsigned rt = GENERATE(5u, 31u);
    m.cpu().x[5] = 0x1234'5678'9abc'def0;
    const uint64_t esr = system_register(one.op0, one.op1, one.crn, one.crm, one.op2, rt, read), before = m.pc();
    REQUIRE(m.sync(esr) == &m.server);
    CHECK(m.badge() == static_cast<uint64_t>(one.trap));
    CHECK(m.tag().kind() == (read ? Kind::sysreg_read : Kind::sysreg_write));
    CHECK(m.tag().size() == 8);
    CHECK(m.word(0) == (system_register(one.op0, one.op1, one.crn, one.crm, one.op2, 0, false) & 0x1ff'ffff));
    CHECK(m.word(1) == (read || rt == 31 ? 0 : 0x1234'5678'9abc'def0));
    REQUIRE(m.answer(Action::advance, {77}) == &m.guest);
    CHECK(m.x(5) == (read && rt == 5 ? 77 : 0x1234'5678'9abc'def0));
    CHECK(m.pc() == before + 4);
    CHECK(m.guest.exits[2] == 1);
}

TEST_CASE("firmware calls by HVC and SMC carry x0 to x5 and take x0 to x3 back", "[decode][routing]") {
    Routing m;
    const bool smc = GENERATE(false, true);
    for (unsigned n = 0; n < 19; ++n) { m.cpu().x[n] = 0x100 + n; }
    const uint64_t before = m.pc();
    if (!smc) { hw::write<hw::ElrEl2>({before + 4}); } // HVC: its preferred return address is behind it
    REQUIRE(m.sync((smc ? ec::smc64 : ec::hvc64) << 26 | il) == &m.server);
    CHECK(m.badge() == static_cast<uint64_t>(abi::Trap::smccc));
    CHECK(m.tag().kind() == Kind::smccc);
    CHECK(m.tag().label() == 0 + smc);
    for (unsigned n = 0; n < 6; ++n) { CHECK(m.word(n) == 0x100 + n); }
    REQUIRE(m.answer(Action::advance, {1, 2, 3, 4, 5, 6}) == &m.guest);
    for (unsigned n = 0; n < 19; ++n) { CHECK(m.x(n) == (n < 4 ? n + 1 : 0x100 + n)); }
    CHECK(m.pc() == before + 4);
}

TEST_CASE("a firmware call that waits, as CPU_SUSPEND, has its result when it goes on", "[decode][routing]") {
    Routing m;
    const uint64_t before = m.pc();
    m.cpu().x[0] = 0xc400'0001;
    hw::write<hw::ElrEl2>({before + 4});
    REQUIRE(m.sync(ec::hvc64 << 26 | il) == &m.server);
    m.answer(Action::wait, {0, hw::counter + 10});
    CHECK(m.guest.state == VcpuState::waiting);
    CHECK(m.guest.context.x[0] == 0);
    CHECK(m.guest.context.pc == before + 4);
}

TEST_CASE("WFI and WFE go where they belong, with the virtual timer's deadline", "[decode][routing]") {
    Routing m;
    const bool wfe = GENERATE(false, true);
    const auto [control, at] = GENERATE(table<uint64_t, uint64_t>({{1, 5'000'000}, {0, no_deadline}, {3, no_deadline}}));
    hw::in_hardware().eager.cntv_ctl_el0 = control, hw::in_hardware().eager.cntv_cval_el0 = 4'900'000;
    m.guest.controls.cntvoff = 100'000;
    const uint64_t before = m.pc();
    REQUIRE(m.sync(ec::wfx << 26 | il | uint64_t{wfe}) == &m.server);
    CHECK(m.badge() == static_cast<uint64_t>(wfe ? abi::Trap::wfe : abi::Trap::wfi));
    CHECK(m.tag().kind() == Kind::wfx);
    CHECK(m.tag().label() == 0 + wfe);
    CHECK(m.word(0) == at);
    REQUIRE(m.answer(Action::advance) == &m.guest);
    CHECK(m.pc() == before + 4);
}

TEST_CASE("an answer may ask for the instruction again, or for an exception", "[decode]") {
    constexpr uint64_t el1h = 5, el0 = 0, vectors = 0x8000, abort_lower = 0x24, abort_same = 0x25, external = 0x10;
    Routing m;
    const uint64_t from = GENERATE_COPY(el1h, el0), before = m.pc();
    hw::write<hw::SpsrEl2>({from | 0x6000'0000});
    hw::in_hardware().eager.vbar_el1 = vectors;
    const uint64_t offset = from == el1h ? 0x200 : 0x400;
    const bool write = GENERATE(false, true);
    REQUIRE(m.sync(access_esr(4, write, 3), 0xffff'8000'0000'0010, device_ipa) == &m.server);
    SECTION("again") {
        REQUIRE(m.answer(Action::retry) == &m.guest);
        CHECK(m.pc() == before);
    }
    SECTION("an undefined instruction") {
        REQUIRE(m.answer(Action::undefined) == &m.guest);
        CHECK(m.pc() == vectors + offset);
        CHECK(hw::in_hardware().eager.esr_el1 == il);
    }
    SECTION("an external abort") {
        REQUIRE(m.answer(Action::abort) == &m.guest);
        CHECK(m.pc() == vectors + offset);
        const uint64_t kind = from == el1h ? abort_same : abort_lower;
        CHECK(hw::in_hardware().eager.esr_el1 == (kind << 26 | il | (write ? wnr : 0) | external));
        CHECK(hw::in_hardware().eager.far_el1 == 0xffff'8000'0000'0010);
        CHECK(hw::in_hardware().eager.elr_el1 == before);
        CHECK(hw::in_hardware().eager.spsr_el1 == (from | 0x6000'0000));
        CHECK((hw::read<hw::SpsrEl2>().bits & 0x3df) == 0x3c5);
    }
    SECTION("a fault") {
        CHECK(m.answer(Action::fault, {42}) == nullptr);
        CHECK(m.guest.fault.reason == FaultReason::refused);
        CHECK(m.guest.fault.detail[2] == 42);
    }
}

TEST_CASE("an access that nobody can serve is a fault with its reason and address", "[routing][fault]") {
    Routing m;
    struct Case {
        uint64_t esr, ipa;
        FaultReason reason;
    };
    const uint64_t fetch = ec::instruction_abort << 26 | il;
    const Case one = GENERATE_COPY(values<Case>({
        {access_esr(4, false, 0), 0x4000'0000, FaultReason::stage2},           // nothing is there
        {access_esr(4, true, 0) & ~0x3full, 0x4000'0000, FaultReason::stage2}, // whatever the level
        {(access_esr(4, true, 0) & ~0x3full) | 0x0f, 0x4000'0000, FaultReason::permission},
        {access_esr(4, false, 0) & ~isv, device_ipa, FaultReason::undecodable}, // a pair, a write-back
        {fetch | 0x07, device_ipa, FaultReason::undecodable},                   // an instruction fetch
        {fetch | 0x07, 0x4000'0000, FaultReason::stage2},
        {fetch | 0x0f, 0x4000'0000, FaultReason::permission},
    }));
    const uint64_t before = m.pc();
    CHECK(m.sync(one.esr, 0xffff'0000'0000'0abc, one.ipa) == nullptr);
    CHECK(m.guest.state == VcpuState::faulted);
    CHECK(m.guest.fault.reason == one.reason);
    CHECK(m.guest.fault.detail[0] == one.esr);
    CHECK(m.guest.fault.detail[1] == one.ipa + 0xabc);
    CHECK(m.guest.context.pc == before);
    const Slot* supervisor = objects.find(m.guest.partition->supervisor);
    REQUIRE(supervisor);
    CHECK(supervisor->notification.pending.load() == 1ull << m.guest.partition->supervisor_signal);
    CHECK(printed().empty()); // that is the supervisor's to say
}

TEST_CASE("instructions that VMs do not have are undefined there", "[routing]") {
    Routing m;
    const uint64_t kind =
        GENERATE(ec::sve, ec::sme, ec::pointer_auth, ec::ld64b, ec::cp15_32, ec::cp15_64, ec::cp14_32, ec::cp14_load, ec::cp14_64);
    hw::in_hardware().eager.vbar_el1 = 0x8000;
    hw::write<hw::SpsrEl2>({5});
    const uint64_t before = m.pc();
    REQUIRE(m.sync(kind << 26 | il) == &m.guest);
    CHECK(m.pc() == 0x8200);
    CHECK(hw::in_hardware().eager.elr_el1 == before);
    CHECK(hw::in_hardware().eager.esr_el1 == il);
}

TEST_CASE("hvc with a number is undefined in a VM, at the instruction", "[routing]") {
    Routing m;
    hw::in_hardware().eager.vbar_el1 = 0x8000;
    hw::write<hw::SpsrEl2>({5});
    const uint64_t before = m.pc();
    hw::write<hw::ElrEl2>({before + 4});
    REQUIRE(m.sync(ec::hvc64 << 26 | il | 1) == &m.guest);
    CHECK(hw::in_hardware().eager.elr_el1 == before);
    CHECK(m.pc() == 0x8200);
}

TEST_CASE("every other exception of a VM, and any of a native partition, is a fault", "[routing][fault]") {
    Routing m;
    SECTION("of a VM") {
        const uint64_t kind = GENERATE(0x00, 0x0e, 0x13, 0x30, 0x3c);
        CHECK(m.sync(kind << 26 | il | 5) == nullptr);
        CHECK(m.guest.fault.reason == FaultReason::synchronous);
        CHECK(m.guest.fault.detail[2] == (kind << 26 | il | 5));
    }
    SECTION("of a native one") {
        m.control(m.guest, request::stop);
        m.run(m.program);
        const uint64_t kind = GENERATE(ec::fp, ec::msr, ec::smc64, ec::sve, ec::pointer_auth);
        CHECK(m.sync(kind << 26 | il) == nullptr);
        CHECK(m.program.fault.reason == FaultReason::synchronous);
    }
    SECTION("of a native one, at its own EL1: seen when it fetches from its vectors") {
        m.control(m.guest, request::stop);
        m.run(m.program);
        const auto fetch = [&] { return m.sync(ec::instruction_abort << 26 | il | 7, native_vbar + 0x200, 0x7f'ffff'f000); };
        SECTION("after an exception") {
            m.exception();
            hw::in_hardware().eager.esr_el1 = 0xf200'0001, hw::in_hardware().eager.elr_el1 = 0x1234;
            CHECK(fetch() == nullptr);
            CHECK(m.program.fault.reason == FaultReason::exception);
            CHECK(m.program.fault.detail[1] == 0x1234);
            CHECK(m.program.fault.detail[2] == 0xf200'0001);
        }
        SECTION("not if it has merely gone there: then these are a VM's") {
            CHECK(fetch() == nullptr);
            CHECK(m.program.fault.reason == FaultReason::stage2);
            CHECK(m.program.fault.detail[1] == native_vbar + 0x200);
            CHECK(m.program.fault.detail[2] == 0);
        }
    }
}

TEST_CASE("a partition without a supervisor that faults ends the machine by policy", "[fault]") {
    Routing m;
    m.guest.partition->supervisor = {};
    hw::log.clear();
    hw::write<hw::ElrEl2>({0x8'1234});
    CHECK_THROWS_AS(m.sync(access_esr(4, false, 0), 0xabc, 0x4000'0000), hw::PoweredOff);
    CHECK_THAT(printed(),
               Catch::Contains("core: fault.stage2 partition=guest vcpu=0 address=0x40000abc detail=0x0 pc=0x81234 esr=0x"));
    CHECK_THAT(printed(), Catch::EndsWith("machine: off reason=policy partition=guest\r\n"));
}

TEST_CASE("a supervisor that is gone is told nothing; the machine goes on", "[fault]") {
    Routing m;
    Slot* supervisor = objects.find(m.guest.partition->supervisor);
    REQUIRE(supervisor);
    objects.retire(*supervisor);
    hw::log.clear();
    CHECK(m.sync(access_esr(4, false, 0), 0, 0x4000'0000) == nullptr);
    CHECK(m.guest.state == VcpuState::faulted);
    CHECK(printed().empty());
}

TEST_CASE("an SError is the partition's only where the syndrome says so", "[fault][serror]") {
    constexpr uint64_t ids = 1u << 24, dfsc = 0x11;
    const auto with_aet = [](uint64_t aet) { return aet << 10 | dfsc; };
    constexpr uint64_t uc = 0, ueu = 1, ueo = 2, uer = 3, ce = 6;
    for (uint64_t esr : {with_aet(uc), with_aet(ueu), with_aet(ueo), with_aet(uer), with_aet(ce), uint64_t{0}}) {
        CHECK(serror_scope(esr, false) == SerrorScope::machine);      // without RAS nothing says whose it is
        CHECK(serror_scope(esr | ids, true) == SerrorScope::machine); // nor does an implementation's own syndrome
    }
    CHECK(serror_scope(with_aet(uc), true) == SerrorScope::machine);
    CHECK(serror_scope(with_aet(ueu), true) == SerrorScope::partition);
    CHECK(serror_scope(with_aet(uer), true) == SerrorScope::partition);
    CHECK(serror_scope(with_aet(ueo), true) == SerrorScope::none);
    CHECK(serror_scope(with_aet(ce), true) == SerrorScope::none);
    for (uint64_t other : {0x00, 0x10, 0x12}) { CHECK(serror_scope(ueu << 10 | other, true) == SerrorScope::machine); }
}

TEST_CASE("an SError that is the partition's stops that partition alone", "[fault][serror]") {
    Routing m;
    m.start(m.program);
    hw::write<hw::IdAa64Pfr0>({1u << 28});
    SECTION("contained") {
        REQUIRE(m.serror(0x2f << 26 | il | 1 << 10 | 0x11) == &m.program);
        CHECK(m.guest.fault.reason == FaultReason::serror);
    }
    SECTION("corrected") {
        REQUIRE(m.serror(0x2f << 26 | il | 6 << 10 | 0x11) == &m.guest);
        CHECK(m.guest.state == VcpuState::ready);
    }
    SECTION("uncontainable") { CHECK_THROWS_WITH(m.serror(0x2f << 26 | il | 0x11), Catch::Contains("SError")); }
}

} // namespace bulkhead::test
