// SPDX-License-Identifier: MIT
// Every PSCI function and error code as a VM sees them, and the trapped registers.
#include "abi/message.hpp"
#include "services/lifecycle/psci.hpp"
#include "services/lifecycle/smccc.hpp"
#include "services/lifecycle/sysreg.hpp"
#include "test/unit/services/lifecycle_fake.hpp"
#include <catch2/catch.hpp>

namespace test {
namespace {

using abi::Action;

constexpr uint64_t affinities = 0xff'00ff'ffff;

struct Guest : Machine {
    Guest() { run(pair); }
    PsciAnswer call(uint64_t function, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0) {
        const uint64_t words[] = {function, a, b, c, 0, 0};
        return serve_psci(port, pair, 0, words);
    }
    int64_t value(uint64_t function, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0) {
        const auto answer = call(function, a, b, c);
        CHECK(answer.action == Action::advance);
        return answer.x0;
    }
};

constexpr uint64_t cpu_on64 = psci::cpu_on | psci::smc64, affinity_info64 = psci::affinity_info | psci::smc64,
                   cpu_suspend64 = psci::cpu_suspend | psci::smc64;

} // namespace

TEST_CASE("the versions are PSCI 1.1 and SMCCC 1.1", "[psci]") {
    Guest guest;
    CHECK(guest.value(psci::version) == 0x10001);
    CHECK(guest.value(smccc::version) == 0x10001);
    CHECK(guest.value(0xffff'ffff'8400'0000) == 0x10001); // the identifier is W0
}

TEST_CASE("PSCI_FEATURES tells the truth", "[psci]") {
    Guest guest;
    for (uint64_t function : {psci::version + 0ul, psci::cpu_suspend + 0ul, cpu_suspend64, psci::cpu_off + 0ul, psci::cpu_on + 0ul,
                              cpu_on64, psci::affinity_info + 0ul, affinity_info64, psci::migrate_info_type + 0ul,
                              psci::system_off + 0ul, psci::system_reset + 0ul, psci::features + 0ul, smccc::version + 0ul}) {
        INFO(std::hex << function);
        CHECK(guest.value(psci::features, function) == psci::success);
    }
    for (uint64_t function : {psci::migrate, psci::migrate_info_up_cpu, psci::system_reset2, psci::version | psci::smc64,
                              0x8400'000bu, 0x8400'0014u, 0u}) {
        INFO(std::hex << function);
        CHECK(guest.value(psci::features, function) == psci::not_supported);
        if (function != 0) { CHECK(guest.value(function) == psci::not_supported); }
    }
}

TEST_CASE("unknown functions are not supported", "[psci]") {
    Guest guest;
    CHECK(guest.value(smccc::arch_features, smccc::version) == psci::success);
    CHECK(guest.value(smccc::arch_features, smccc::arch_features) == psci::success);
    for (uint64_t function : {0x0ul, 0x8600'ff01ul, 0xc000'0000ul, 0xc000'0001ul, 0x8000'0002ul, 0x8000'0003ul, 0x8400'0050ul}) {
        INFO(std::hex << function);
        CHECK(guest.value(function) == psci::not_supported);
        CHECK(guest.value(smccc::arch_features, function) == psci::not_supported);
    }
    CHECK(guest.value(psci::migrate_info_type) == 2);
}

TEST_CASE("CPU_SUSPEND waits for an interrupt", "[psci]") {
    Guest guest;
    for (uint64_t function : {psci::cpu_suspend + 0ul, cpu_suspend64}) {
        CHECK(guest.call(function, 0).action == Action::wait);
        CHECK(guest.call(function, 0).x0 == psci::success);
        CHECK(guest.call(function, 0x1'0000, guest_entry).action == Action::wait);
        CHECK(guest.value(function, 0x1'0000, 0x1000) == psci::invalid_address);
        CHECK(guest.value(function, 0x100'0000) == psci::invalid_parameters);
        CHECK(guest.value(function, 0x8000'0000) == psci::invalid_parameters);
    }
}

TEST_CASE("CPU_ON starts a vCPU with its entry and context", "[psci]") {
    Guest guest;
    auto& second = guest.port.vcpus.at(guest.pair.vcpus[1].handle);
    SECTION("with 64-bit arguments") {
        CHECK(guest.value(cpu_on64, 1, guest_entry, 0x1'0000'0005) == psci::success);
        CHECK(second.started.x0 == 0x1'0000'0005);
    }
    SECTION("with 32-bit arguments, of which the upper halves do not count") {
        CHECK(guest.value(psci::cpu_on, 0xff'0000'0001, 0xff'4008'0000, 0x1'0000'0005) == psci::success);
        CHECK(second.started.x0 == 5);
    }
    CHECK(second.status.state == VcpuState::ready);
    CHECK(second.started.entry == guest_entry);
    CHECK(guest.pair.starting == 0);
    CHECK(guest.value(cpu_on64, 1, guest_entry) == psci::already_on);
}

TEST_CASE("CPU_ON refuses with the specification's codes", "[psci]") {
    Guest guest;
    CHECK(guest.value(cpu_on64, 0, guest_entry) == psci::already_on);
    CHECK(guest.value(cpu_on64, 2, guest_entry) == psci::invalid_parameters);
    CHECK(guest.value(cpu_on64, 0x8000'0001, guest_entry) == psci::invalid_parameters);
    CHECK(guest.value(cpu_on64, 1, ram_base - 4) == psci::invalid_address);
    CHECK(guest.value(cpu_on64, 1, ram_base + ram_size) == psci::invalid_address);
    CHECK(guest.value(cpu_on64, 1, guest_entry + 2) == psci::invalid_address);
    guest.pair.starting = 2; // another vCPU of lifecycle is at it
    CHECK(guest.value(cpu_on64, 1, guest_entry) == psci::on_pending);
    CHECK(guest.pair.starting == 2);
    guest.pair.starting = 0;
    guest.port.start_status = Status::no_memory;
    CHECK(guest.value(cpu_on64, 1, guest_entry) == psci::internal_failure);
    CHECK(guest.pair.starting == 0);
}

TEST_CASE("until the other core has followed, CPU_ON is pending", "[psci]") {
    Guest guest;
    guest.value(cpu_on64, 1, guest_entry);
    guest.state(guest.pair, 1) = VcpuState::off; // its core has not looked yet
    CHECK(guest.value(cpu_on64, 1, guest_entry) == psci::on_pending);
    CHECK(guest.value(affinity_info64, 1, 0) == psci::affinity_on_pending);
    guest.vms.change(guest.pair, Task::pause, Cause::user);
    CHECK(guest.pair.state == VmState::changing);
    guest.state(guest.pair, 1) = VcpuState::ready;
    guest.settle();
    CHECK(guest.pair.state == VmState::paused);
    CHECK(guest.state(guest.pair, 1) == VcpuState::paused);
}

TEST_CASE("no vCPU is started while the VM is being paused or stopped", "[psci]") {
    Guest guest;
    for (auto state : {VmState::changing, VmState::paused, VmState::off, VmState::loading}) {
        guest.pair.state = state;
        CHECK(guest.call(cpu_on64, 1, guest_entry).action == Action::retry);
        CHECK(guest.state(guest.pair, 1) == VcpuState::off);
        CHECK(guest.pair.starting == 0);
    }
}

TEST_CASE("AFFINITY_INFO knows the levels", "[psci]") {
    Guest guest;
    CHECK(guest.value(affinity_info64, 0, 0) == psci::affinity_on);
    CHECK(guest.value(affinity_info64, 1, 0) == psci::affinity_off);
    guest.pair.starting = 2;
    CHECK(guest.value(affinity_info64, 1, 0) == psci::affinity_on_pending);
    CHECK(guest.value(affinity_info64, 1, 1) == psci::affinity_on); // vCPU 0 is in that cluster
    guest.pair.starting = 0;
    CHECK(guest.value(psci::affinity_info, 0xff'0000'0001, 0) == psci::affinity_off);
    CHECK(guest.value(affinity_info64, 0x100, 0) == psci::invalid_parameters);
    CHECK(guest.value(affinity_info64, 0x100, 1) == psci::invalid_parameters);
    CHECK(guest.value(affinity_info64, 0x100, 2) == psci::affinity_on);
    CHECK(guest.value(affinity_info64, 0, 3) == psci::affinity_on);
    CHECK(guest.value(affinity_info64, 0, 4) == psci::invalid_parameters);
    CHECK(guest.value(affinity_info64, 0x8000'0000, 0) == psci::invalid_parameters);
}

TEST_CASE("a vCPU that is leaving can be started only when it is off", "[psci]") {
    Guest guest;
    guest.value(cpu_on64, 1, guest_entry);
    const uint64_t words[6] = {psci::cpu_off};
    CHECK(serve_psci(guest.port, guest.pair, 1, words).action == Action::off);
    CHECK(guest.port.wakes == 1);
    CHECK(guest.call(cpu_on64, 1, guest_entry).action == Action::retry);
    guest.state(guest.pair, 1) = VcpuState::off; // the core has carried it out
    CHECK(guest.value(cpu_on64, 1, guest_entry) == psci::success);
    guest.settle();
    CHECK(guest.pair.state == VmState::running);
}

TEST_CASE("when its last vCPU goes off, a VM is off", "[psci]") {
    Guest guest;
    guest.run(guest.ticker);
    CHECK(guest.call(psci::cpu_off).action == Action::off);
    guest.settle();
    CHECK(guest.pair.state == VmState::off);
    CHECK(guest.said("lifecycle: vm.off vm=pair\n"));
    CHECK_FALSE(guest.ending.begun()); // ticker still runs
}

TEST_CASE("SYSTEM_OFF and SYSTEM_RESET leave the caller off and the work to vCPU 0", "[psci]") {
    Guest guest;
    guest.run(guest.ticker);
    guest.value(cpu_on64, 1, guest_entry);
    SECTION("off") {
        CHECK(guest.call(psci::system_off).action == Action::off);
        CHECK(guest.state(guest.pair, 1) == VcpuState::ready);
        guest.settle();
        CHECK(guest.pair.state == VmState::off);
        CHECK(guest.state(guest.pair, 1) == VcpuState::off);
        CHECK(guest.said("vm.off vm=pair"));
    }
    SECTION("reset") {
        guest.port.memory[guest.pair.ram][0] = 0x55;
        CHECK(guest.call(psci::system_reset).action == Action::off);
        guest.settle();
        CHECK(guest.pair.state == VmState::running);
        CHECK(guest.port.vcpus.at(guest.pair.vcpus[0].handle).starts == 2);
        CHECK(guest.state(guest.pair, 1) == VcpuState::off);
        CHECK(guest.port.memory[guest.pair.ram][0] == 0);
        CHECK(guest.said("vm.reset vm=pair count=1 cause=guest"));
    }
}

TEST_CASE("debug and PMU registers read as zero and ignore writes", "[sysreg]") {
    Guest guest;
    for (auto encoding : {abi::sysreg(2, 0, 0, 3, 4), abi::sysreg(2, 0, 0, 15, 7), abi::sysreg(2, 0, 0, 2, 2),
                          abi::sysreg(3, 3, 9, 12, 0), abi::sysreg(3, 3, 14, 15, 7), abi::sysreg(3, 0, 1, 0, 1),
                          abi::sysreg(3, 0, 10, 4, 7), abi::sysreg(3, 1, 15, 2, 3), abi::sysreg(3, 0, 11, 0, 0)}) {
        INFO(std::hex << encoding);
        CHECK(write_register(guest.port, guest.pair, 0, encoding, ~0ull));
        CHECK(read_register(guest.port, guest.pair, 0, encoding) == 0u);
    }
}

TEST_CASE("a VM's feature registers show what it has", "[sysreg]") {
    Guest guest; // its CPU has all ones
    const auto id = [&](unsigned crm, unsigned op2) {
        return read_register(guest.port, guest.pair, 0, abi::sysreg(3, 0, 0, crm, op2));
    };
    CHECK(id(4, 0) == 0xf10f'0000'0fff'001full); // ID_AA64PFR0: no EL2, EL3, RAS, SVE, SEL2, MPAM, AMU, RME; CSV2 1
    CHECK(id(4, 1) == 0xffff'ff00'f0f0'00ffull); // ID_AA64PFR1: no MTE, SME, NMI
    CHECK(id(5, 0) == 0x0f00'00f0'0f1f'1006ull); // ID_AA64DFR0: v8.0 debug, two breakpoints, no PMU, SPE, trace
    CHECK(id(6, 0) == ~0ull);                    // ID_AA64ISAR0
    CHECK(id(6, 1) == 0x00ff'ffff'00ff'f00full); // ID_AA64ISAR1: no PAuth, XS, LS64
    CHECK(id(6, 2) == 0xffff'ffff'fff0'00f0ull); // ID_AA64ISAR2: no WFxT, PAuth, MOPS
    CHECK(id(7, 0) == 0xf0ff'ffff'ffff'ffffull); // ID_AA64MMFR0: no FGT
    CHECK(id(7, 1) == 0xffff'f0f0'0ff0'f0ffull); // ID_AA64MMFR1: no VH, LO, XNX, TWED, HCX
    CHECK(id(7, 2) == 0xf0ff'f0ff'f0ff'ffffull); // ID_AA64MMFR2: no NV, FWB, EVT
    for (auto [crm, op2] : {std::pair{4u, 4u}, {4u, 5u}, {5u, 1u}, {5u, 4u}, {6u, 3u}, {7u, 3u}, {7u, 7u}}) {
        CHECK(id(crm, op2) == 0u);
    }
    CHECK(id(1, 0) == 0xffff'ffff'0f0f'ffffull); // ID_PFR0
    CHECK(id(1, 2) == 0xffff'ffff'000f'0fffull); // ID_DFR0
    CHECK(id(3, 0) == ~0ull);                    // MVFR0
    guest.pair.extras.pmu = true;
    CHECK(id(5, 0) == 0x0f00'00f0'0f1f'1f06ull); // ID_AA64DFR0.PMUVer
    CHECK(id(1, 2) == 0xffff'ffff'0f0f'0fffull); // ID_DFR0.PerfMon
    guest.pair.extras.pac = true;
    CHECK(id(6, 1) == 0x00ff'ffff'ffff'ffffull); // ID_AA64ISAR1: APA, API, GPA, GPI
    CHECK(id(6, 2) == 0xffff'ffff'fff0'fff0ull); // ID_AA64ISAR2: GPA3, APA3
    CHECK_FALSE(id(8, 0));
    CHECK_FALSE(write_register(guest.port, guest.pair, 0, abi::sysreg(3, 0, 0, 4, 0), 0)); // as on every CPU
}

TEST_CASE("each vCPU has its OS lock, locked at reset", "[sysreg]") {
    Guest guest;
    constexpr auto oslar = abi::sysreg(2, 0, 1, 0, 4), oslsr = abi::sysreg(2, 0, 1, 1, 4);
    const auto read = [&](unsigned vcpu) { return read_register(guest.port, guest.pair, vcpu, oslsr).value(); };
    CHECK(read(0) == 0xa);
    CHECK(write_register(guest.port, guest.pair, 0, oslar, 0));
    CHECK(read(0) == 0x8);
    CHECK(read(1) == 0xa);
    CHECK(write_register(guest.port, guest.pair, 0, oslar, 1));
    CHECK(read(0) == 0xa);
}

TEST_CASE("a register that nobody serves is undefined, and named in the log once", "[sysreg]") {
    Guest guest;
    constexpr auto cntp = abi::sysreg(3, 3, 14, 2, 1), spe = abi::sysreg(3, 0, 9, 9, 0);
    CHECK_FALSE(read_register(guest.port, guest.pair, 0, cntp));
    CHECK_FALSE(write_register(guest.port, guest.pair, 1, cntp, 1));
    CHECK_FALSE(read_register(guest.port, guest.pair, 0, spe));
    guest.settle();
    CHECK(guest.said("vm.undefined vm=pair register=3_3_14_2_1\n"));
    CHECK(guest.said("vm.undefined vm=pair register=3_0_9_9_0\n"));
    guest.port.output.clear();
    CHECK_FALSE(read_register(guest.port, guest.pair, 0, cntp));
    guest.settle();
    CHECK(guest.port.output.empty());
}

} // namespace test
