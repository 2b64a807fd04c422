// SPDX-License-Identifier: MIT
// Reads the faulted vCPUs, logs why, and does what the policy says. It never calls the partition
// that faulted.
#include "services/lifecycle/supervisor.hpp"
#include <array>

namespace lifecycle {

void Supervisor::on(uint64_t signals) {
    // Services first: a VM's restart resets them.
    for (auto& native : system_.all_natives()) {
        if ((native.fault_signals & signals) != 0) { native_faulted(native); }
    }
    for (auto& vm : system_.all_vms()) {
        if ((vm.fault_signals & signals) != 0) { vm_faulted(vm); }
    }
}

namespace {

constexpr std::string_view access_name(uint64_t syndrome) {
    constexpr uint64_t instruction_abort = 0x20, wnr = 1u << 6;
    if (syndrome >> 26 == instruction_abort) { return "execute"; }
    return (syndrome & wnr) != 0 ? "write" : "read";
}

/// The two fields that the reason has for itself.
std::array<service::Field, 2> details(VcpuStatus const& status) {
    const service::Hex address{status.address}, detail{status.detail};
    switch (status.reason) {
    case abi::FaultReason::stage2:
    case abi::FaultReason::permission:
    case abi::FaultReason::undecodable: return {{{"ipa", address}, {"access", access_name(status.syndrome)}}};
    case abi::FaultReason::exception: return {{{"esr_el1", detail}, {"elr_el1", address}}};
    default: return {{{"detail", detail}, {"address", address}}};
    }
}

} // namespace

bool Supervisor::log_faults(Supervised const& partition) {
    bool any = false;
    for (unsigned n = 0; n < partition.vcpu_count; ++n) {
        const auto handle = partition.vcpus[n].handle;
        const auto status = port_.status(handle);
        if (status.state != abi::VcpuState::faulted) { continue; }
        any = true;
        const auto event = service::Text<32>().put("fault.").put(abi::name(status.reason));
        const auto [first, second] = details(status);
        journal_.event(event.view(), {{"partition", partition.name},
                                      {"vcpu", n},
                                      first,
                                      second,
                                      {"pc", service::Hex{port_.pc(handle)}},
                                      {"esr", service::Hex{status.syndrome}}});
    }
    return any;
}

Policy Supervisor::decide(Supervised& partition) {
    if (partition.policy != Policy::restart) { return partition.policy; }
    if (partition.fault_restarts >= partition.restart_limit) { return Policy::stop; }
    ++partition.fault_restarts;
    return Policy::restart;
}

void Supervisor::vm_faulted(Vm& vm) {
    if (!log_faults(vm) || ending_.begun()) { return; }
    switch (decide(vm)) {
    case Policy::restart: vms_.change(vm, Task::restart, Cause::fault); break;
    case Policy::stop: vms_.change(vm, Task::stop, Cause::fault); break;
    case Policy::end: ending_.begin(abi::OffReason::policy, vm.name); break;
    }
}

void Supervisor::native_faulted(Native& native) {
    if (!log_faults(native) || ending_.begun()) { return; }
    switch (decide(native)) {
    case Policy::restart: restart(native, Cause::fault); break;
    case Policy::stop: stop(native); break;
    case Policy::end: ending_.begin(abi::OffReason::policy, native.name); break;
    }
}

void Supervisor::stop(Native& native) {
    for (unsigned n = 0; n < native.vcpu_count; ++n) { port_.control(native.vcpus[n].handle, abi::VcpuOperation::stop); }
    native.stopped = true;
    journal_.event("partition.stop", {{"partition", native.name}});
}

void Supervisor::restart(Native& native, Cause cause) {
    for (unsigned n = 0; n < native.vcpu_count; ++n) { port_.control(native.vcpus[n].handle, abi::VcpuOperation::stop); }
    vms_.release_window();
    bool good = true;
    for (auto const& data : std::span(native.data, native.data_count)) { good = restore(data) && good; }
    for (unsigned n = 0; good && n < native.vcpu_count; ++n) {
        const Start where = {native.entry, native.environment, n, native.vcpus[n].stack};
        good = port_.start(native.vcpus[n].handle, where) == abi::Status::ok;
    }
    if (!good) { return stop(native); }
    native.stopped = false;
    ++native.restarts;
    journal_.event("partition.restart", {{"partition", native.name}, {"count", native.restarts}, {"cause", name(cause)}});
}

bool Supervisor::restore(DataMemory const& data) {
    const auto window = port_.map(data.memory, data.size);
    const bool good = window.size() >= data.size && data.pristine.size() <= data.size;
    if (good) {
        if (!data.pristine.empty()) { __builtin_memcpy(window.data(), data.pristine.data(), data.pristine.size()); }
        port_.zero(window.subspan(data.pristine.size()));
    }
    if (!window.empty()) { port_.unmap(data.memory); }
    return good;
}

} // namespace lifecycle
