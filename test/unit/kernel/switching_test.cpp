// SPDX-License-Identifier: MIT
// What a vCPU has in registers, whoever runs in between.
#include "irq/gic.hpp"
#include "irq/virtual.hpp"
#include "machine.hpp"

namespace bulkhead::test {

TEST_CASE("a call keeps its caller's PSTATE, and gives nothing of it to the server", "[switching]") {
    constexpr uint64_t dit = 1u << 24;
    Machine m;
    const bool confined = GENERATE(false, true);
    Vcpu &server = m.vcpu(m.native("server"), 0, 20), &client = m.vcpu(m.native("client", confined));
    const uint64_t door = m.grant(*client.partition, m.endpoint({&server}));
    m.serve(server);
    m.start(client);
    REQUIRE(m.go() == &client);
    for (unsigned n = 0; n < 2; ++n) { // a confined one cannot write DIT
        const uint64_t flags = (confined ? 0 : dit) | (n ? 1u << 29 : 1u << 31);
        hw::write<hw::SpsrEl2>({native_pstate | flags});
        REQUIRE(m.call(door) == &server);
        CHECK(hw::read<hw::SpsrEl2>().bits == native_pstate);
        hw::write<hw::SpsrEl2>({native_pstate | 1u << 28});
        REQUIRE(m.reply() == &client);
        CHECK(hw::read<hw::SpsrEl2>().bits == (confined ? native_pstate : native_pstate | flags));
    }
}

TEST_CASE("what only newer CPUs have stays with its VM while services run, and nobody else finds it", "[switching]") {
    constexpr uint64_t device_ipa = 0x0900'0000, a_mark = 0xa0, b_mark = 0xb0;
    Machine m;
    Vcpu &a = m.vcpu(m.vm("a")), &b = m.vcpu(m.vm("b")), &service = m.vcpu(m.native("service"), 0, 20);
    Vcpu& open = m.vcpu(m.unconfined("open"), 0, 30);
    hw::write<hw::IdAa64Pfr0>({1ull << 28}); // RAS
    hw::write<hw::IdAa64Pfr1>({1ull << 24}); // SME
    const auto fill = [](uint64_t mark) {
        hw::write<hw::VdisrEl2>({mark}), hw::write<hw::Tpidr2El0>({mark});
        std::ranges::fill(hw::in_hardware().extra.keys, mark);
    };
    const auto all_are = [](uint64_t mark) {
        const bool keys = std::ranges::all_of(hw::in_hardware().extra.keys, [&](uint64_t key) { return key == mark; });
        return keys && hw::read<hw::VdisrEl2>().bits == mark && hw::read<hw::Tpidr2El0>().bits == mark;
    };
    fill(0);
    m.device(*a.partition, device_ipa, m.endpoint({&service}), 1);
    m.serve(service);
    for (Vcpu* vcpu : {&a, &b}) { vcpu->controls.hcr |= HcrEl2::pauth.mask, m.start(*vcpu); }
    REQUIRE(m.go() == &a);
    CHECK(all_are(0));
    fill(a_mark);
    for (unsigned n = 0; n < 2; ++n) {
        REQUIRE(m.load(device_ipa) == &service);
        REQUIRE(m.answer(Action::advance) == &a);
        CHECK(all_are(a_mark));
    }
    m.pass(slice);
    REQUIRE(m.running() == &b);
    CHECK(all_are(0));
    fill(b_mark);
    m.start(open);
    REQUIRE(m.go() == &open);
    CHECK(all_are(0));
    hw::write<hw::VdisrEl2>({1}), hw::write<hw::Tpidr2El0>({1});
    REQUIRE(m.reply() == &b);
    CHECK(all_are(b_mark));
    m.pass(slice);
    REQUIRE(m.running() == &a);
    CHECK(all_are(a_mark));
}

TEST_CASE("an exception of whoever runs in between changes nothing of a VM", "[switching]") {
    constexpr uint64_t device_ipa = 0x0900'0000, mark = 0xe1;
    Machine m;
    Vcpu &guest = m.vcpu(m.vm("guest")), &service = m.vcpu(m.native("service"), 0, 20);
    Vcpu& urgent = m.vcpu(m.native("urgent"), 0, 30);
    m.device(*guest.partition, device_ipa, m.endpoint({&service}), 1);
    const ObjectRef bell = m.notification(urgent);
    m.serve(service), m.serve(urgent);
    m.start(guest);
    REQUIRE(m.go() == &guest);
    for (unsigned n = 0; n < 2; ++n) { // the second one goes the short way
        hw::in_hardware().eager.far_el1 = mark;
        REQUIRE(m.load(device_ipa) == &service);
        notify(m.core(), objects.at(bell.index()).notification, 1);
        REQUIRE(m.go() == &urgent);
        m.exception();
        REQUIRE(m.sync(ec::instruction_abort << 26 | il, native_vbar, native_vbar) == &service);
        REQUIRE(m.answer(Action::advance) == &guest);
        CHECK(hw::in_hardware().eager.far_el1 == mark);
        m.control(urgent, request::stop);
        m.serve(urgent);
        REQUIRE(m.go() == &guest);
    }
}

TEST_CASE("an exception that somebody came in between is told with its own syndrome", "[switching]") {
    Machine m;
    Vcpu &program = m.vcpu(m.native("program")), &urgent = m.vcpu(m.vm("urgent"), 0, 30);
    m.start(program);
    REQUIRE(m.go() == &program);
    m.exception();
    const EagerState taken = hw::in_hardware().eager;
    m.start(urgent);
    REQUIRE(m.go() == &urgent);
    hw::in_hardware().eager.elr_el1 = hw::in_hardware().eager.esr_el1 = 0x5ec2e7;
    REQUIRE(m.control(urgent, request::pause) == &program);
    m.sync(ec::instruction_abort << 26 | il, native_vbar + 0x200, native_vbar);
    CHECK(program.fault.reason == FaultReason::exception);
    CHECK(program.fault.detail[1] == taken.elr_el1);
    CHECK(program.fault.detail[2] == taken.esr_el1);
}

TEST_CASE("a VM that loses its slice takes its list registers and its timer's interrupt along", "[sched][irq]") {
    constexpr uint64_t ppis_active = 0x080a'0000 + 0x1'0300, ppis_inactive = 0x080a'0000 + 0x1'0380;
    constexpr unsigned sgi = 5, timer = 27;
    using VI = VirtualInterrupt;
    Machine m;
    Vcpu &a = m.vcpu(m.vm("a")), &b = m.vcpu(m.vm("b"));
    const bool held = GENERATE(false, true), listed = GENERATE(false, true);
    const auto stored = [](uint64_t address) {
        return std::ranges::count(hw::log, hw::Event{hw::Op::store, address, 1u << timer});
    };
    for (Vcpu* vcpu : {&a, &b}) { m.start(*vcpu); }
    REQUIRE(m.go() == &a);
    if (listed) {
        InterruptUpdate(m.core(), a).change(&a, sgi, {}, VI::enabled(1) | VI::group1(1) | VI::latch(1));
        REQUIRE(m.go() == &a);
        REQUIRE(hw::read_lr(0) != 0);
    }
    if (held) { // and masked in the guest's GIC
        a.interrupts.word[timer] = a.interrupts.word[timer] | VI::held(1) | VI::latch(1);
        hw::in_hardware().eager.cntv_ctl_el0 = 5; // enabled, due
    }
    const uint64_t lr = hw::read_lr(0);
    for (unsigned turn = 0; turn < 3; ++turn) {
        hw::log.clear();
        m.pass(slice);
        REQUIRE(m.running() == &b);
        CHECK(hw::read_lr(0) == 0);
        CHECK(a.interrupts.used == 0);
        CHECK(stored(ppis_inactive) == held);
        CHECK(stored(ppis_active) == 0);
        hw::log.clear();
        m.pass(slice);
        REQUIRE(m.running() == &a);
        CHECK(hw::read_lr(0) == lr);
        CHECK(stored(ppis_inactive) == 0);
        CHECK(stored(ppis_active) == held);
    }
    CHECK(m.core().switches >= 6);
}

TEST_CASE("an interrupt that goes to a more urgent vCPU when the list registers are looked at wakes it at once",
          "[switching][irq]") {
    constexpr unsigned spi = 40;
    using VI = VirtualInterrupt;
    enum Look { running, entered, left };
    const auto look = GENERATE(running, entered, left);
    Machine m;
    Partition& vm = m.vm("vm");
    Vcpu &calm = m.vcpu(vm), &urgent = m.vcpu(vm, 0, 20);
    m.trap(vm, abi::Trap::wfi, m.endpoint({&m.vcpu(m.native("timer"), 0, 40)}), 0);
    Vcpu& timer = *m.vcpus.back();
    m.serve(timer);
    m.start(urgent), m.start(calm);
    calm.own_pmu = calm.leaves_slowly = GENERATE(false, true);
    calm.extra.pmu[70] = 0xca11;
    REQUIRE(m.go() == &urgent);
    hw::in_hardware().lazy.ich_vmcr = 0xf8u << 24 | 2; // group 1 on, every priority
    hw::write<hw::IchVmcr>({0xf8u << 24 | 2});
    REQUIRE(m.wfi() == &timer);
    REQUIRE(m.answer(Action::wait, {0, no_deadline}) == &calm);
    InterruptUpdate(m.core(), vm).change(nullptr, spi, {}, VI::enabled(1) | VI::group1(1) | VI::latch(1));
    REQUIRE(m.go() == &calm);
    REQUIRE(hw::read_lr(0) != 0);
    if (look == entered) { REQUIRE(m.wfi() == &timer); }
    if (look == left) { m.start(m.vcpu(m.vm("other"))); }
    InterruptUpdate(m.core(), vm).change(nullptr, spi, {}, Word{}.with(VI::target, urgent.index));
    if (look == left) { m.pass(slice); }
    if (look == running) { m.control(calm, request::interrupts); }
    if (look == entered) { m.answer(Action::advance); }
    CHECK(m.running() == &urgent);
    CHECK(hw::in_hardware().extra.pmu[70] == 0);
    CHECK(calm.extra.pmu[70] == 0xca11);
}

TEST_CASE("FP registers are switched when they are used, and by nobody else", "[switching]") {
    Machine m;
    Vcpu &a = m.vcpu(m.vm("a")), &b = m.vcpu(m.vm("b"));
    const auto traps = [] { return Value<CptrEl2>{hw::in_hardware().controls.cptr}.get(CptrEl2::tfp) != 0; };
    const auto use = [&](uint64_t value) {
        if (traps()) { m.sync(ec::fp << 26 | il); }
        hw::in_hardware().fp.v[0] = hw::in_hardware().fp.fpcr = value;
    };
    m.start(a), m.start(b);
    REQUIRE(m.go() == &a);
    CHECK(traps());
    use(0xa);
    CHECK(m.core().fp_owner == &a);
    CHECK(hw::read<CptrEl2>().get(CptrEl2::tfp) == 0);
    m.pass(slice);
    REQUIRE(m.running() == &b);
    CHECK(traps());
    m.pass(slice);
    REQUIRE(m.running() == &a); // b has not used them: they are still there
    CHECK_FALSE(traps());
    CHECK(hw::in_hardware().fp.v[0] == 0xa);
    m.pass(slice);
    m.sync(ec::fp << 26 | il);
    CHECK(hw::in_hardware().fp.v[0] == 0); // b finds nothing of a's
    use(0xb);
    m.pass(slice);
    REQUIRE(m.running() == &a);
    CHECK(traps());
    m.sync(ec::fp << 26 | il);
    CHECK(hw::in_hardware().fp.v[0] == 0xa);
    CHECK(hw::in_hardware().fp.fpcr == 0xa);
    m.control(a, request::stop);
    CHECK(m.core().fp_owner == nullptr);
    CHECK(a.fp.v[0] == 0xa);
    m.sync(ec::fp << 26 | il);
    CHECK(hw::in_hardware().fp.v[0] == 0xb);
}

TEST_CASE("a virtual SError waits in the vCPU until it is taken, whoever runs in between", "[switching][serror]") {
    Machine m;
    hw::write<hw::IdAa64Pfr0>({1u << 28}); // with RAS
    Vcpu &a = m.vcpu(m.vm("a")), &b = m.vcpu(m.vm("b"));
    const auto pending = [] { return (hw::in_hardware().controls.hcr & HcrEl2::vse.mask) != 0; };
    m.start(a), m.start(b);
    REQUIRE(m.go() == &a);
    m.control(a, request::pause);
    inject_serror(a, 0x123);
    REQUIRE(m.running() == &b);
    CHECK_FALSE(pending());
    m.control(a, request::resume);
    m.pass(slice);
    REQUIRE(m.running() == &a);
    CHECK(pending());
    CHECK(hw::read<hw::VsesrEl2>().bits == 0x123);
    hw::write<HcrEl2>(Value<HcrEl2>{hw::in_hardware().controls.hcr}); // masked: not taken
    m.pass(slice);
    REQUIRE(m.running() == &b);
    CHECK_FALSE(pending());
    hw::write<hw::VsesrEl2>({});
    m.pass(slice);
    REQUIRE(m.running() == &a);
    CHECK(pending());
    CHECK(hw::read<hw::VsesrEl2>().bits == 0x123);
    hw::write<HcrEl2>(Value<HcrEl2>{hw::in_hardware().controls.hcr}.with(HcrEl2::vse, 0)); // taken
    hw::write<hw::VdisrEl2>({0x55});
    m.pass(slice);
    REQUIRE(m.running() == &b);
    CHECK(hw::read<hw::VdisrEl2>().bits == 0);
    m.pass(slice);
    REQUIRE(m.running() == &a);
    CHECK_FALSE(pending());
    CHECK(hw::read<hw::VdisrEl2>().bits == 0x55);
}

} // namespace bulkhead::test
