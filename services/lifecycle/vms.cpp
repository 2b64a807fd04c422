// SPDX-License-Identifier: MIT
// The VMs' states and the steps between them.
#include "services/lifecycle/vms.hpp"
#include "abi/message.hpp"
#include <algorithm>

namespace lifecycle {

namespace {
bool is_running(Vm const& vm) { return vm.state == VmState::running; }
bool is_loading(Vm const& vm) { return vm.state == VmState::loading; }
} // namespace

std::string_view name(Cause cause) {
    switch (cause) {
    case Cause::user: return "user";
    case Cause::guest: return "guest";
    case Cause::fault: return "fault";
    }
    return "unknown";
}

void Vms::start(Vm& vm) { vm.state = VmState::loading; }

void Vms::change(Vm& vm, Task task, Cause cause) {
    if (vm.state == VmState::changing && vm.task != Task::pause && task == Task::pause) { return; }
    vm.task = task;
    vm.cause = cause;
    if (loader_.vm() == &vm) { loader_.end(); }
    vm.state = VmState::changing;
    settle(vm);
}

/// True while the core has not yet followed the start of some vCPU.
bool Vms::start_underway(Vm const& vm) {
    for (unsigned n = 0; n < vm.vcpu_count; ++n) {
        const bool on = (vm.on.load() >> n & 1) != 0;
        if (on && port_.status(vm.vcpus[n].handle).state == abi::VcpuState::off) { return true; }
    }
    return false;
}

/// Carries out the task unless a vCPU is just being started: then work() tries again.
void Vms::settle(Vm& vm) {
    std::atomic_thread_fence(std::memory_order_seq_cst); // behind the store of `state`, also where an LDAR passes an STLR: QEMU 7.2
    if (vm.starting.load() != 0) { return; }
    const auto task = vm.task;
    if (task == Task::pause && start_underway(vm)) { return; } // it could not be paused
    vm.task = Task::none;
    switch (task) {
    case Task::none: break;
    case Task::pause: do_pause(vm); break;
    case Task::stop:
        do_stop(vm);
        if (vm.cause == Cause::guest) {
            journal_.event("vm.off", {{"vm", vm.name}});
        } else {
            journal_.event("vm.stop", {{"vm", vm.name}, {"cause", name(vm.cause)}});
        }
        if (vm.cause != Cause::user) { end_if_idle(); }
        break;
    case Task::restart:
        do_stop(vm);
        ++vm.restarts;
        journal_.event("vm.reset", {{"vm", vm.name}, {"count", vm.restarts}, {"cause", name(vm.cause)}});
        start(vm);
        break;
    }
}

void Vms::stop_vcpus(Vm& vm) {
    for (unsigned n = 0; n < vm.vcpu_count; ++n) { port_.control(vm.vcpus[n].handle, abi::VcpuOperation::stop); }
}

void Vms::do_stop(Vm& vm) {
    stop_vcpus(vm);
    vm.on = 0;
    vm.os_unlocked = 0;
    vm.requests.fetch_and(request::report);
    vm.state = VmState::off;
}

void Vms::do_pause(Vm& vm) {
    for (unsigned n = 0; n < vm.vcpu_count; ++n) {
        port_.control(vm.vcpus[n].handle,
                      abi::VcpuOperation::pause); // refused for those that are off
    }
    tell_services(vm, abi::client::Label::pause);
    vm.state = VmState::paused;
    journal_.event("vm.pause", {{"vm", vm.name}});
}

void Vms::resume(Vm& vm) {
    tell_services(vm, abi::client::Label::resume);
    vm.state = VmState::running;
    for (unsigned n = 0; n < vm.vcpu_count; ++n) {
        if (port_.status(vm.vcpus[n].handle).state == abi::VcpuState::paused) {
            port_.control(vm.vcpus[n].handle, abi::VcpuOperation::resume);
        }
    }
    journal_.event("vm.resume", {{"vm", vm.name}});
}

void Vms::tell_services(Vm& vm, abi::client::Label label) {
    const uint64_t now = port_.ticks();
    for (auto const& service : std::span(vm.services, vm.service_count)) {
        const auto status = port_.tell(service.endpoint, label, service.client, now);
        if (status == abi::Status::ok) { continue; }
        journal_.event("vm.service", {{"vm", vm.name}, {"endpoint", service.endpoint}, {"status", abi::name(status)}});
    }
}

void Vms::take_requests() {
    for (auto& vm : system_.all_vms()) {
        const uint32_t requests = vm.requests.exchange(0);
        if ((requests & request::report) != 0) { log_undefined(vm); }
        const auto state = vm.state.load();
        if (state == VmState::off || state == VmState::loading) { continue; }
        const bool last_went_off = (requests & request::look) != 0 && vm.on.load() == 0;
        if ((requests & request::off) != 0 || last_went_off) {
            change(vm, Task::stop, Cause::guest);
        } else if ((requests & request::reset) != 0) {
            change(vm, Task::restart, Cause::guest);
        }
    }
}

/// Each register that a VM was refused is named once.
void Vms::log_undefined(Vm& vm) {
    while (vm.undefined_logged < max_undefined) {
        const uint32_t encoding = vm.undefined[vm.undefined_logged].load();
        if (encoding == 0) { return; }
        ++vm.undefined_logged;
        service::Text<24> text;
        text.put_pattern("%u_%u_%u_%u_%u", encoding >> 20 & 3, encoding >> 14 & 7, encoding >> 10 & 15, encoding >> 1 & 15,
                         encoding >> 17 & 7);
        journal_.event("vm.undefined", {{"vm", vm.name}, {"register", text.view()}});
    }
}

uint64_t Vms::work() {
    uint64_t next = abi::no_deadline;
    for (auto& vm : system_.all_vms()) {
        if (vm.state != VmState::changing) { continue; }
        settle(vm);
        if (vm.state == VmState::changing) { next = port_.in_microseconds(100); }
    }
    if (loader_.vm() == nullptr) {
        for (auto& vm : system_.all_vms()) {
            if (vm.state != VmState::loading) { continue; }
            loader_.begin(vm);
            break;
        }
    }
    if (loader_.vm() == nullptr) { return next; }
    if (load_next_ <= port_.ticks()) { load_step(); }
    return std::ranges::any_of(system_.all_vms(), is_loading) ? std::min(next, load_next_) : next;
}

void Vms::load_step() {
    const uint64_t begin = port_.ticks();
    load_next_ = 0;
    switch (loader_.step()) {
    case Loader::Progress::more: break;
    case Loader::Progress::later: load_next_ = port_.in_microseconds(1000); return;
    case Loader::Progress::done: finish_load(); return;
    case Loader::Progress::failed: load_failed(loader_.failure()); break;
    }
    // Half of the time is left to the VMs that run already.
    if (std::ranges::any_of(system_.all_vms(), is_running)) { load_next_ = port_.ticks() + (port_.ticks() - begin); }
}

void Vms::finish_load() {
    auto& vm = *loader_.vm();
    const uint64_t took = loader_.microseconds(), copied = loader_.copied();
    vm.on = 1;
    vm.requests.fetch_and(request::report);
    vm.used = true;
    vm.state = VmState::running; // before the guest's first PSCI call, which another core may serve
    const auto status = port_.start(vm.vcpus[0].handle, {vm.entry, vm.dtb});
    if (status != abi::Status::ok) { return load_failed({abi::name(status)}); }
    loader_.end();
    load_next_ = port_.in_microseconds(start_us);
    journal_.event("vm.start", {{"vm", vm.name}, {"load_us", took}, {"copied", copied}});
    for (auto const& extra : all_extras()) {
        if (!(vm.extras.*extra.given) || extra.there(port_)) { continue; }
        journal_.event("vm.without", {{"vm", vm.name}, {"key", extra.key}, {"cpu_lacks", extra.feature}});
    }
}

void Vms::load_failed(Loader::Failure const& why) {
    auto& vm = *loader_.vm();
    loader_.end();
    vm.on = 0;
    vm.state = VmState::off;
    vm.cause = Cause::fault;
    if (why.damaged != nullptr) {
        journal_.event("vm.failed", {{"vm", vm.name},
                                     {"reason", why.reason},
                                     {"payload", why.damaged->name},
                                     {"value", service::Hex{why.checksum}},
                                     {"mend", "pack the image again"}});
    } else {
        journal_.event("vm.failed", {{"vm", vm.name}, {"reason", why.reason}});
    }
    end_if_idle();
}

void Vms::end_if_idle() {
    if (!system_.end_when_idle || ending_.begun()) { return; }
    std::string_view faulted;
    for (auto const& vm : system_.all_vms()) {
        if (vm.state != VmState::off) { return; }
        if (vm.cause == Cause::fault) { faulted = vm.name; }
    }
    ending_.begin(faulted.empty() ? abi::OffReason::poweroff : abi::OffReason::policy, faulted);
}

} // namespace lifecycle
