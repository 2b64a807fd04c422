// SPDX-License-Identifier: MIT
// PSCI 1.1 and SMCCC 1.1: the functions, one by one. What concerns a whole VM is only requested
// here; vCPU 0 does it.
#include "services/lifecycle/psci.hpp"
#include "services/lifecycle/smccc.hpp"

namespace lifecycle {
namespace {

using namespace psci;
using abi::Action;

constexpr uint64_t affinity_fields = 0xff'00ff'ffff;

/// Bits of the MPIDR that distinguish CPUs at an affinity level.
constexpr uint64_t fields_from(uint64_t level) {
    constexpr uint64_t masks[] = {affinity_fields, 0xff'00ff'ff00, 0xff'00ff'0000, 0xff'0000'0000};
    return masks[level];
}

bool is_entry(Vm const& vm, uint64_t address) {
    return address % 4 == 0 && address >= vm.ram_base && address - vm.ram_base < vm.ram_size;
}

PsciAnswer answer(int64_t x0) { return {x0, Action::advance}; }

PsciAnswer suspend(Vm const& vm, uint64_t power_state, uint64_t entry) {
    constexpr uint64_t power_down = 1 << 16, state_id_and_type = 0x1'ffff;
    // Original format; the only level is that of the CPU (bits 24 and 25 are zero), the rest must
    // be zero.
    if ((power_state & ~state_id_and_type) != 0) { return answer(invalid_parameters); }
    if ((power_state & power_down) != 0 && !is_entry(vm, entry)) { return answer(invalid_address); }
    // Power-down is answered as standby, which the specification allows: the call returns.
    return {success, Action::wait};
}

PsciAnswer turn_off(Port& port, Vm& vm, unsigned caller) {
    vm.on.fetch_and(~(1u << caller));
    vm.requests.fetch_or(request::look);
    port.wake();
    return {success, Action::off};
}

/// The target's bit in Vm::starting is ours.
PsciAnswer start_claimed(Port& port, Vm& vm, unsigned target, Start const& where) {
    const uint32_t bit = 1u << target;
    // While the VM is being paused or stopped: later, if the caller lives.
    if (vm.state.load() != VmState::running) { return {success, Action::retry}; }
    const auto handle = vm.vcpus[target].handle;
    const bool off = port.status(handle).state == abi::VcpuState::off;
    if ((vm.on.load() & bit) != 0) { return answer(off ? on_pending : already_on); }
    if (!off) { return {success, Action::retry}; } // its CPU_OFF is answered, but not yet carried out
    vm.os_unlocked.fetch_and(~bit);
    vm.on.fetch_or(bit); // before it runs, for it may go off at once
    if (port.start(handle, where) == abi::Status::ok) { return answer(success); }
    vm.on.fetch_and(~bit);
    return answer(internal_failure);
}

PsciAnswer start(Port& port, Vm& vm, unsigned target, Start const& where) {
    const uint32_t bit = 1u << target;
    if ((vm.starting.fetch_or(bit) & bit) != 0) { return answer(on_pending); }
    const auto result = start_claimed(port, vm, target, where);
    vm.starting.fetch_and(~bit);
    return result;
}

PsciAnswer turn_on(Port& port, Vm& vm, uint64_t mpidr, uint64_t entry, uint64_t context) {
    for (unsigned target = 0; target < vm.vcpu_count; ++target) {
        if (vm.vcpus[target].mpidr != mpidr) { continue; }
        if (!is_entry(vm, entry)) { return answer(invalid_address); }
        return start(port, vm, target, {entry, context});
    }
    return answer(invalid_parameters);
}

PsciAnswer affinity(Port& port, Vm& vm, uint64_t mpidr, uint64_t level) {
    if (level > 3 || (mpidr & ~affinity_fields) != 0) { return answer(invalid_parameters); }
    bool found = false, pending = false;
    for (unsigned index = 0; index < vm.vcpu_count; ++index) {
        if (((vm.vcpus[index].mpidr ^ mpidr) & fields_from(level)) != 0) { continue; }
        found = true;
        const bool off = port.status(vm.vcpus[index].handle).state == abi::VcpuState::off;
        if (!off) { return answer(affinity_on); }
        pending = pending || ((vm.on.load() | vm.starting.load()) >> index & 1) != 0;
    }
    if (!found) { return answer(invalid_parameters); }
    return answer(pending ? affinity_on_pending : affinity_off);
}

PsciAnswer end_system(Port& port, Vm& vm, uint32_t what) {
    // The caller must be off before its VM is taken apart: it stays off from here, and vCPU 0 does
    // the rest.
    vm.requests.fetch_or(what);
    port.wake();
    return {success, Action::off};
}

int64_t has_feature(uint64_t function) {
    switch (static_cast<uint32_t>(function)) {
    case smccc::version:
    case version:
    case cpu_suspend: // flags: original format of power_state, no OS-initiated mode
    case cpu_suspend | smc64:
    case cpu_off:
    case cpu_on:
    case cpu_on | smc64:
    case affinity_info:
    case affinity_info | smc64:
    case migrate_info_type:
    case system_off:
    case system_reset:
    case features: return success;
    default: return not_supported;
    }
}

} // namespace

PsciAnswer serve_psci(Port& port, Vm& vm, unsigned caller, uint64_t const* words) {
    const auto function = static_cast<uint32_t>(words[0]);
    uint64_t arguments[] = {words[1], words[2], words[3]};
    if ((function & smc64) == 0) {
        for (auto& argument : arguments) { argument = static_cast<uint32_t>(argument); }
    }
    switch (function) {
    case version: return answer(version_1_1);
    case smccc::version: return answer(smccc::version_1_1);
    case smccc::arch_features: return answer(arch_feature(port, static_cast<uint32_t>(arguments[0])));
    case features: return answer(has_feature(arguments[0]));
    case cpu_suspend:
    case cpu_suspend | smc64: return suspend(vm, static_cast<uint32_t>(arguments[0]), arguments[1]);
    case cpu_off: return turn_off(port, vm, caller);
    case cpu_on:
    case cpu_on | smc64: return turn_on(port, vm, arguments[0], arguments[1], arguments[2]);
    case affinity_info:
    case affinity_info | smc64: return affinity(port, vm, arguments[0], arguments[1]);
    case migrate_info_type: return answer(2); // no trusted OS that would need migration
    case system_off: return end_system(port, vm, request::off);
    case system_reset: return end_system(port, vm, request::reset);
    default: return answer(serve_workaround(port, function));
    }
}

} // namespace lifecycle
