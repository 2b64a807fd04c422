// SPDX-License-Identifier: MIT
// VMs as a whole: loading, pausing, stopping; the policies on faults; the machine's end.
#include "abi/message.hpp"
#include "test/unit/services/lifecycle_fake.hpp"
#include <catch2/catch.hpp>

namespace test {

TEST_CASE("a VM starts with pristine memory and reset services", "[lifecycle]") {
    Machine machine;
    auto const& ram = machine.port.memory[machine.ticker.ram];
    uint8_t rest = 0xee; // as the machine's reset left it
    uint64_t zeroed = 0;
    SECTION("for the first time") {}
    SECTION("again, whatever it did") {
        machine.run(machine.ticker);
        std::ranges::fill(machine.port.memory[machine.ticker.ram], uint8_t{0x77});
        machine.vms.change(machine.ticker, Task::stop, Cause::user);
        machine.port.cleaned = 0;
        rest = 0, zeroed = ram_size;
    }
    SECTION("for the first time, where memory outlives a reset") {
        machine.ticker.used = true;
        rest = 0, zeroed = ram_size;
    }
    machine.vms.start(machine.ticker);
    machine.settle();
    CHECK(ram[0] == rest);
    CHECK(ram[0x7'ffff] == rest);
    CHECK(ram[ram_size - 1] == rest);
    CHECK(ram[0x8'0000] == 0x4b);
    CHECK(ram[0x8'0000 + 0x18'0000 - 1] == 0x4b); // in another step than its beginning
    CHECK(ram[0x20'0000] == 0xd0);
    CHECK(ram[0x20'0003] == 0xed);
    CHECK(ram[0x20'0004] == rest);
    CHECK(machine.port.cleaned == zeroed + machine.kernel.size() + machine.tree.size());
    CHECK(machine.port.mapped == 0);
    REQUIRE(machine.port.told.size() == 2);
    CHECK(machine.port.told[1].endpoint == 101);
    CHECK(machine.port.told[1].label == abi::client::Label::reset);
    CHECK(machine.port.told[1].client == 8);
    CHECK(machine.port.told[1].word == (zeroed != 0)); // has it run?
    CHECK(machine.port.told[1].cleaned == 0);          // before the RAM is written to
    auto const& vcpu = machine.port.vcpus.at(machine.ticker.vcpus[0].handle);
    CHECK(vcpu.started.entry == guest_entry);
    CHECK(vcpu.started.x0 == guest_dtb);
    CHECK(machine.said("] lifecycle: vm.start vm=ticker load_us="));
    auto const* const payloads = machine.ticker.payloads;
    CHECK(machine.said(" copied=" + std::to_string(payloads[0].bytes.size() + payloads[1].bytes.size())));
}

TEST_CASE("a payload is checked whenever it is copied, in as many steps as that takes", "[lifecycle]") {
    Machine machine;
    machine.kernel.resize(0x18'0010, 0);
    machine.pair.payloads[0].bytes = machine.kernel;
    machine.run(machine.pair);
    auto& payload = machine.ticker.payloads[0];
    payload = {std::span(machine.kernel).first(0x18'0003), guest_entry, 0xa58c'a6c6, "ticker.kernel"};
    machine.vms.start(machine.ticker);
    SECTION("it is as packed") {
        machine.settle();
        CHECK(machine.ticker.state == VmState::running);
        machine.kernel[0x10'0000] ^= 1; // a restart finds this
        machine.vms.change(machine.ticker, Task::restart, Cause::user);
    }
    SECTION("its first byte is damaged") { machine.kernel[0] ^= 1; }
    SECTION("its last byte is damaged") { machine.kernel[0x18'0002] ^= 1; }
    SECTION("so are the zeros behind it") { machine.kernel[0x18'000f] ^= 1; }
    machine.settle();
    CHECK(machine.ticker.state == VmState::off);
    CHECK(machine.said("vm.failed vm=ticker reason=\"a payload is damaged\" payload=ticker.kernel value=0x"));
    CHECK(machine.said(" mend=\"pack the image again\"\n"));
    CHECK(machine.port.mapped == 0);
}

TEST_CASE("a payload that ends within a unit of the checksum does not spoil the next one's", "[lifecycle]") {
    constexpr size_t odd = 0x8'0003,
                     next = 0xc'0000; // the second one goes on in another step, which begins where the first one ended
    Machine machine;
    machine.run(machine.pair);
    std::vector<uint8_t> bytes(odd + 13 + next);
    for (size_t n = 0; n < bytes.size(); ++n) { bytes[n] = static_cast<uint8_t>(n * 7 + n / 256); }
    std::fill_n(&bytes[odd], 13, uint8_t{0});
    auto const whole = std::span<const uint8_t>(bytes);
    auto sum = [&](std::span<const uint8_t> padded) { return machine.port.checksum(padded, 0); };
    machine.ticker.payloads[0] = {whole.first(odd), ram_base, sum(whole.first(odd + 13)), "kernel"};
    machine.ticker.payloads[1] = {whole.last(next), ram_base + 0x10'0000, sum(whole.last(next)), "initrd"};
    machine.vms.start(machine.ticker);
    machine.settle();
    CHECK(machine.ticker.state == VmState::running);
    auto const& ram = machine.port.memory[machine.ticker.ram];
    CHECK(std::equal(whole.begin(), whole.begin() + odd, ram.begin()));
    CHECK(std::equal(whole.end() - next, whole.end(), ram.begin() + 0x10'0000));
}

TEST_CASE("a VM on a CPU without what it was promised runs without it, and the log says so", "[lifecycle]") {
    Machine machine;
    machine.ticker.extras = {.pmu = true, .pac = true, .trng = true};
    SECTION("the CPU has all") {
        machine.port.features = 0x1111'1111'1111'1111;
        machine.run(machine.pair);
        machine.vms.start(machine.ticker);
        machine.settle();
        CHECK_FALSE(machine.said("vm.without"));
    }
    SECTION("it has nothing") {
        machine.port.features = 0;
        machine.vms.start(machine.ticker);
        machine.settle();
        CHECK(machine.said("vm.without vm=ticker key=pmu cpu_lacks=FEAT_PMUv3"));
        CHECK(machine.said("vm.without vm=ticker key=pac cpu_lacks=FEAT_PAuth"));
        CHECK(machine.said("vm.without vm=ticker key=trng cpu_lacks=FEAT_RNG"));
        CHECK(machine.ticker.state == VmState::running);
    }
    SECTION("its PMU is not the architecture's") {
        machine.port.features = ~0ull;
        machine.vms.start(machine.ticker);
        machine.settle();
        CHECK(machine.said("vm.without vm=ticker key=pmu"));
        CHECK_FALSE(machine.said("key=pac"));
    }
}

TEST_CASE("loading is done in steps, and one VM after the other", "[lifecycle]") {
    Machine machine;
    machine.vms.start(machine.pair);
    machine.vms.start(machine.ticker);
    CHECK(machine.vms.work() == 0);
    CHECK(machine.port.cleaned == 1 << 20);
    CHECK(machine.port.mapped == machine.ticker.ram);
    machine.settle();
    CHECK(machine.ticker.state == VmState::running);
    CHECK(machine.pair.state == VmState::running);
}

TEST_CASE("loading leaves half of the time to a VM that runs", "[lifecycle]") {
    Machine machine;
    machine.run(machine.pair);
    const uint64_t started = machine.port.time;
    machine.vms.start(machine.ticker);
    CHECK(machine.vms.work() == started + 500); // that pair has for itself
    CHECK(machine.port.time == started);
    machine.port.time = started + 500;
    const uint64_t begin = machine.port.time;
    CHECK(machine.vms.work() == begin + 20); // the step took 10
    machine.port.time = begin + 15;
    CHECK(machine.vms.work() == begin + 20); // too early: no step
    CHECK(machine.port.time == begin + 15);
}

TEST_CASE("a service that is down is waited for", "[lifecycle]") {
    Machine machine;
    machine.port.answers[100] = {Status::server_fault, Status::again, Status::ok};
    const uint64_t begin = machine.port.time;
    machine.vms.start(machine.ticker);
    machine.settle();
    CHECK(machine.ticker.state == VmState::running);
    CHECK(machine.port.time - begin == 2030); // and three pieces of RAM that are filled
}

TEST_CASE("a VM that cannot be loaded stays off, with a reason", "[lifecycle]") {
    Machine machine;
    machine.run(machine.pair);
    SECTION("a service refuses") {
        machine.port.answers[101] = {Status::denied};
        machine.vms.start(machine.ticker);
        machine.settle();
        CHECK(machine.said("vm.failed vm=ticker reason=denied"));
    }
    SECTION("a payload does not fit") {
        machine.ticker.payloads[1].address = ram_base + ram_size - 2;
        machine.vms.start(machine.ticker);
        machine.settle();
        CHECK(machine.said("vm.failed vm=ticker reason=payload"));
    }
    CHECK(machine.ticker.state == VmState::off);
    CHECK(machine.port.mapped == 0);
}

TEST_CASE("a pause stops the vCPUs, then the services; resuming goes back", "[lifecycle]") {
    Machine machine;
    machine.run(machine.pair);
    machine.vms.change(machine.pair, Task::pause, Cause::user);
    CHECK(machine.pair.state == VmState::paused);
    CHECK(machine.state(machine.pair, 0) == VcpuState::paused);
    CHECK(machine.state(machine.pair, 1) == VcpuState::off);
    REQUIRE(machine.port.told.size() == 2);
    CHECK(machine.port.told[0].label == abi::client::Label::pause);
    CHECK(machine.port.told[0].word == machine.port.time);
    machine.vms.resume(machine.pair);
    CHECK(machine.port.told[3].label == abi::client::Label::resume);
    CHECK(machine.state(machine.pair, 0) == VcpuState::ready);
    CHECK(machine.state(machine.pair, 1) == VcpuState::off);
    CHECK(machine.pair.state == VmState::running);
}

TEST_CASE("a change waits until no vCPU is just being started", "[lifecycle]") {
    Machine machine;
    machine.run(machine.pair);
    machine.pair.starting = 2;
    machine.vms.change(machine.pair, Task::stop, Cause::user);
    CHECK(machine.pair.state == VmState::changing);
    CHECK(machine.state(machine.pair) == VcpuState::ready);
    CHECK(machine.vms.work() == machine.port.time + 100);
    machine.vms.change(machine.pair, Task::pause, Cause::user); // does not replace the stop
    machine.pair.starting = 0;
    CHECK(machine.vms.work() == abi::no_deadline);
    CHECK(machine.pair.state == VmState::off);
    CHECK(machine.said("vm.stop vm=pair cause=user"));
}

TEST_CASE("a VM can be stopped while it is loaded", "[lifecycle]") {
    Machine machine;
    machine.vms.start(machine.ticker);
    machine.vms.work();
    machine.vms.change(machine.ticker, Task::stop, Cause::user);
    CHECK(machine.port.mapped == 0);
    CHECK(machine.ticker.state == VmState::off);
    CHECK(machine.vms.work() == abi::no_deadline);
}

TEST_CASE("a VM that faults restarts up to its limit, then stops", "[policy]") {
    Machine machine;
    machine.run(machine.pair);
    machine.run(machine.ticker);
    machine.ticker.policy = Policy::restart;
    machine.ticker.restart_limit = 2;
    for (unsigned n = 1; n <= 2; ++n) {
        machine.fault(machine.ticker);
        machine.settle();
        CHECK(machine.ticker.state == VmState::running);
        CHECK(machine.ticker.restarts == n);
    }
    CHECK(machine.said("lifecycle: fault.stage2 partition=ticker vcpu=0 ipa=0xdead0000 access=read pc=0x40080010 esr=0x92000004"));
    CHECK(machine.said("vm.reset vm=ticker count=1 cause=fault"));
    machine.fault(machine.ticker);
    machine.settle();
    CHECK(machine.ticker.state == VmState::off);
    CHECK(machine.said("vm.stop vm=ticker cause=fault"));
    CHECK_FALSE(machine.ending.begun());
}

TEST_CASE("a signal without a faulted vCPU changes nothing", "[policy]") {
    Machine machine;
    machine.run(machine.ticker);
    machine.ticker.policy = Policy::end;
    machine.supervisor.on(~0ull);
    CHECK(machine.port.output.empty());
}

TEST_CASE("a service restarts with its data as in the image", "[policy]") {
    Machine machine;
    machine.uart.policy = Policy::restart;
    machine.uart.restart_limit = 1;
    machine.vms.start(machine.ticker);
    machine.vms.work(); // ticker's RAM is in the window
    machine.fault(machine.uart, 1);
    CHECK(machine.port.memory[31] == std::vector<uint8_t>{1, 2, 3, 0, 0, 0, 0, 0});
    CHECK(machine.said("fault.stage2 partition=uart vcpu=1"));
    CHECK(machine.said("partition.restart partition=uart count=1"));
    auto const& second = machine.port.vcpus.at(machine.uart.vcpus[1].handle);
    CHECK(second.started.entry == 0x40'0000);
    CHECK(second.started.x0 == 0x9000);
    CHECK(second.started.x1 == 1);
    CHECK(second.started.stack == 0x7000'1001);
    machine.settle();
    CHECK(machine.ticker.state == VmState::running);
    machine.fault(machine.uart);
    CHECK(machine.said("partition.stop partition=uart"));
    CHECK(machine.uart.stopped);
}

TEST_CASE("the policy `end` ends the machine and says for whom", "[policy]") {
    Machine machine;
    machine.run(machine.ticker);
    machine.run(machine.pair);
    machine.pair.policy = Policy::end;
    machine.fault(machine.pair, 1);
    CHECK(machine.ending.begun());
    CHECK(machine.state(machine.ticker) == VcpuState::off);
    const std::string last = "] machine: off reason=policy partition=pair\n";
    REQUIRE(machine.port.output.size() > last.size());
    CHECK(machine.port.output.substr(machine.port.output.size() - last.size()) == last);
}

TEST_CASE("the power goes off when the log is drained, or never will be", "[ending]") {
    Machine machine;
    machine.ending.begin(abi::OffReason::poweroff);
    machine.port.flushes.assign(3, Status::again);
    for (unsigned n = 0; n < 3; ++n) { CHECK(machine.ending.step() == machine.port.time + 1000); }
    SECTION("drained") {}
    SECTION("console is gone") { machine.port.flushes = {Status::no_server}; }
    try {
        machine.ending.step();
        FAIL("the machine is still on");
    } catch (MachineOff const& off) { CHECK(off.reason == abi::OffReason::poweroff); }
}

TEST_CASE("the machine ends when the last VM ends by itself", "[ending]") {
    Machine machine;
    machine.run(machine.ticker);
    machine.run(machine.pair);
    machine.vms.change(machine.ticker, Task::stop, Cause::user);
    machine.settle();
    SECTION("by its own wish") {
        machine.pair.requests = request::off;
        machine.settle();
        CHECK(machine.said("machine: off reason=poweroff\n"));
    }
    SECTION("by a fault") {
        machine.fault(machine.pair);
        machine.settle();
        CHECK(machine.said("machine: off reason=policy partition=pair\n"));
    }
    SECTION("but not by the user's") {
        machine.vms.change(machine.pair, Task::stop, Cause::user);
        CHECK_FALSE(machine.ending.begun());
    }
    SECTION("and not if the description says otherwise") {
        machine.system.end_when_idle = false;
        machine.pair.requests = request::off;
        machine.settle();
        CHECK_FALSE(machine.ending.begun());
    }
}

} // namespace test
