// SPDX-License-Identifier: MIT
// Reads the faulted vCPUs, logs why, and does what the policy says. It never calls the partition
// that faulted.
#include "services/lifecycle/supervisor.hpp"

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

bool Supervisor::log_faults(Supervised const& partition, std::string_view event, std::string_view key) {
    bool any = false;
    for (unsigned n = 0; n < partition.vcpu_count; ++n) {
        const auto handle = partition.vcpus[n].handle;
        const auto status = port_.status(handle);
        if (status.state != abi::VcpuState::faulted) { continue; }
        any = true;
        const bool access = status.reason == abi::FaultReason::stage2 || status.reason == abi::FaultReason::permission ||
                            status.reason == abi::FaultReason::undecodable;
        journal_.event(event, {{key, partition.name},
                               {"vcpu", n},
                               {"reason", abi::name(status.reason)},
                               {access ? "ipa" : "detail", service::Hex{status.address}},
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
    if (!log_faults(vm, "vm.fault", "vm")) { return; }
    switch (decide(vm)) {
    case Policy::restart: vms_.change(vm, Task::restart, Cause::fault); break;
    case Policy::stop: vms_.change(vm, Task::stop, Cause::fault); break;
    case Policy::end: ending_.begin(abi::OffReason::policy, vm.name); break;
    }
}

void Supervisor::native_faulted(Native& native) {
    if (!log_faults(native, "partition.fault", "partition")) { return; }
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
