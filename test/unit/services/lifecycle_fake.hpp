// SPDX-License-Identifier: MIT
// A fake machine for lifecycle's tests: vCPUs that are only states, memory that is a vector, and a
// record of what was done.
#pragma once
#include "abi/checksum.hpp"
#include "abi/message.hpp"
#include "services/lifecycle/prompt.hpp"
#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace test {

using abi::FaultReason;
using abi::Status;
using abi::VcpuOperation;
using abi::VcpuState;
using namespace lifecycle;

struct MachineOff {
    abi::OffReason reason;
};

inline uint32_t no_instruction(uint32_t, uint64_t const*) { throw std::logic_error("this CPU has none"); }

struct FakePort final : Port {
    struct Vcpu {
        VcpuStatus status;
        Start started{};
        unsigned starts = 0;
    };
    struct Told {
        abi::Handle endpoint;
        abi::client::Label label;
        uint32_t client;
        uint64_t word;
        uint64_t cleaned; ///< before
    };

    std::map<abi::Handle, Vcpu> vcpus;
    std::map<abi::Handle, std::vector<uint8_t>> memory;
    abi::Handle mapped = 0;
    std::vector<Told> told;
    std::map<abi::Handle, std::vector<Status>> answers; ///< of endpoints, in order; then ok
    std::vector<Status> flushes;
    uint64_t cleaned = 0;
    uint64_t time = 1'000'000;
    std::string output;
    unsigned wakes = 0;
    bool cpu_entropy = false;
    uint64_t features = ~0ull;                ///< all feature registers...
    std::map<uint32_t, uint64_t> registers{}; ///< ...but these
    uint64_t entropy_words = 0;
    Status start_status = Status::ok;

    static Status next(std::vector<Status>& queue) {
        if (queue.empty()) { return Status::ok; }
        const auto status = queue.front();
        queue.erase(queue.begin());
        return status;
    }

    Status start(abi::Handle handle, Start const& where) override {
        if (start_status != Status::ok) { return start_status; }
        auto& vcpu = vcpus.at(handle);
        if (vcpu.status.state != VcpuState::off) { return Status::bad_state; }
        vcpu.status.state = VcpuState::ready;
        vcpu.started = where;
        ++vcpu.starts;
        return Status::ok;
    }
    Status control(abi::Handle handle, VcpuOperation operation) override {
        auto& state = vcpus.at(handle).status.state;
        const bool off = state == VcpuState::off;
        switch (operation) {
        case VcpuOperation::stop: state = VcpuState::off; return Status::ok;
        case VcpuOperation::pause:
            if (!off) { state = VcpuState::paused; }
            return off ? Status::bad_state : Status::ok;
        case VcpuOperation::resume: state = VcpuState::ready; return Status::ok;
        default: throw std::logic_error("not used by lifecycle");
        }
    }
    VcpuStatus status(abi::Handle handle) override { return vcpus.at(handle).status; }
    uint64_t pc(abi::Handle) override { return 0x4008'0010; }
    std::optional<uint64_t> exits(abi::Handle handle) override {
        if (vcpus.at(handle).status.state == VcpuState::ready) { return std::nullopt; }
        return 7;
    }
    std::span<uint8_t> map(abi::Handle handle, uint64_t size) override {
        if (mapped != 0) { throw std::logic_error("the window is taken"); }
        auto& bytes = memory.at(handle);
        if (size > bytes.size()) { return {}; }
        mapped = handle;
        return {bytes.data(), size};
    }
    void unmap(abi::Handle handle) override {
        if (mapped != handle) { throw std::logic_error("not mapped"); }
        mapped = 0;
    }
    void zero(std::span<uint8_t> bytes) override { std::ranges::fill(bytes, uint8_t{0}); }
    void clean(std::span<uint8_t> bytes) override {
        cleaned += bytes.size();
        time += 10;
    }
    uint32_t checksum(std::span<const uint8_t> bytes, uint32_t before) override {
        return abi::crc32<no_instruction>(bytes.data(), bytes.size(), false, before);
    }
    Status tell(abi::Handle endpoint, abi::client::Label label, uint32_t client, uint64_t word) override {
        told.push_back({endpoint, label, client, word, cleaned});
        return next(answers[endpoint]);
    }
    Status flush() override { return next(flushes); }
    void off(abi::OffReason reason) override { throw MachineOff{reason}; }
    uint64_t id_register(uint32_t encoding) override {
        const auto found = registers.find(encoding);
        return found == registers.end() ? features : found->second;
    }
    std::optional<uint64_t> entropy() override { return cpu_entropy ? std::optional(++entropy_words) : std::nullopt; }
    uint64_t ticks() override { return time; }
    uint64_t ticks_per_second() override { return 1'000'000; }
    void write(std::string_view text) override { output += text; }
    void wake() override { ++wakes; }
};

constexpr uint64_t ram_base = 0x4000'0000, ram_size = 3 << 20;
constexpr uint64_t guest_entry = ram_base + 0x8'0000, guest_dtb = ram_base + 0x20'0000;

/// Two VMs `ticker` (one vCPU) and `pair` (two), and a service `uart`.
struct Machine {
    std::vector<uint8_t> kernel = std::vector<uint8_t>(0x18'0000, 0x4b); // spans two steps
    std::vector<uint8_t> tree = {0xd0, 0x0d, 0xfe, 0xed};
    std::vector<uint8_t> pristine = {1, 2, 3};
    FakePort port;
    System system;
    Terminal terminal{port};
    Journal journal{port, terminal};
    Ending ending{port, system, terminal, journal};
    Vms vms{port, system, journal, ending};
    Supervisor supervisor{port, system, journal, ending, vms};
    Prompt prompt{port, system, terminal, journal, ending, vms, supervisor};
    Vm& ticker = system.vms[0];
    Vm& pair = system.vms[1];
    Native& uart = system.natives[0];

    Machine() {
        system.vm_count = 2;
        add_vm(ticker, "ticker", 10, 1, 0);
        add_vm(pair, "pair", 20, 2, 1);
        system.native_count = 1;
        add_vcpus(uart, "uart", 30, 2, 4);
        uart.entry = 0x40'0000;
        uart.environment = 0x9000;
        uart.data_count = 1;
        uart.data[0] = {31, pristine, 8};
        port.memory[31] = {9, 9, 9, 9, 9, 9, 9, 9};
        for (unsigned n = 0; n < 2; ++n) {
            uart.vcpus[n].stack = 0x7000'1000 + n;
            port.vcpus[uart.vcpus[n].handle].status.state = VcpuState::waiting;
        }
    }
    void add_vcpus(Supervised& partition, char const* name, abi::Handle first, unsigned count, unsigned signal) {
        partition.name = name;
        partition.fault_signals = 1ull << signal;
        partition.vcpu_count = count;
        for (unsigned n = 0; n < count; ++n) {
            partition.vcpus[n] = {first + 5 + n, n, n, 0};
            port.vcpus[first + 5 + n] = {};
        }
    }
    void add_vm(Vm& vm, char const* name, abi::Handle first, unsigned vcpus, unsigned signal) {
        add_vcpus(vm, name, first, vcpus, signal);
        vm.entry = guest_entry;
        vm.dtb = guest_dtb;
        vm.ram = first;
        vm.ram_base = ram_base;
        vm.ram_size = ram_size;
        vm.payload_count = 2;
        vm.payloads[0] = {kernel, guest_entry};
        vm.payloads[1] = {tree, guest_dtb};
        vm.service_count = 2;
        vm.services[0] = {100, signal};
        vm.services[1] = {101, signal + 8};
        port.memory[first] = std::vector<uint8_t>(ram_size, 0xee);
    }
    VcpuState& state(Supervised const& partition, unsigned vcpu = 0) {
        return port.vcpus.at(partition.vcpus[vcpu].handle).status.state;
    }
    /// Works until nothing is left to do, or a thousand steps.
    void settle() {
        for (unsigned n = 0; n < 1000 && !ending.begun(); ++n) {
            vms.take_requests();
            const uint64_t next = vms.work();
            if (next == abi::no_deadline) { return; }
            port.time = std::max(port.time, next);
        }
    }
    void run(Vm& vm) {
        vms.start(vm);
        settle();
        port.output.clear();
        port.told.clear();
    }
    void type(std::string_view keys) {
        for (const char c : keys) { prompt.key(c); }
    }
    void fault(Supervised const& partition, unsigned vcpu = 0) {
        auto& status = port.vcpus.at(partition.vcpus[vcpu].handle).status;
        status.state = VcpuState::faulted;
        status.reason = FaultReason::stage2;
        status.address = 0xdead'0000;
        status.syndrome = 0x9200'0004;
        supervisor.on(partition.fault_signals);
    }
    bool said(std::string_view text) const { return port.output.find(text) != std::string::npos; }
};

} // namespace test
