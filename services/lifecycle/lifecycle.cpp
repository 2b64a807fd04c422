// SPDX-License-Identifier: MIT
// Takes messages apart, and calls the part that each concerns.
#include "services/lifecycle/lifecycle.hpp"
#include "services/lib/cpu.hpp"
#include "services/lifecycle/describe.hpp"
#include "services/lifecycle/psci.hpp"
#include "services/lifecycle/smccc.hpp"
#include "services/lifecycle/sysreg.hpp"

namespace lifecycle {

Lifecycle::Lifecycle(service::Environment const& environment) : port_(environment) {
    describe(environment, system_);
    for (auto& vm : system_.all_vms()) {
        if (vm.autostart) { vms_.start(vm); }
    }
}

Vm* Lifecycle::client(service::Request const& request) {
    if (request.badge >= system_.vm_count) { return nullptr; }
    auto& vm = system_.vms[request.badge];
    return request.vcpu < vm.vcpu_count ? &vm : nullptr;
}

service::LongAnswer Lifecycle::on(service::Smccc const& call) {
    auto* vm = client(call);
    if (vm == nullptr) { return service::LongAnswer::smccc(~0ull); }
    const auto answer = serve_psci(port_, *vm, call.vcpu, call.words);
    if (answer.x0 == psci::not_supported && is_trng(call.words[0])) {
        const auto result = serve_trng(port_, *vm, call.words);
        return service::LongAnswer::smccc(static_cast<uint64_t>(result.status), result.x1, result.x2, result.x3);
    }
    service::LongAnswer reply;
    reply.tag = abi::ReplyTag::make(answer.action);
    reply.words[0] = static_cast<uint64_t>(answer.x0);
    // x1 to x3 keep what the caller had there; but word 1 of a wait is its deadline, of which there
    // is none here.
    for (unsigned n = 1; n < 4; ++n) { reply.words[n] = call.words[n]; }
    if (answer.action == abi::Action::wait) { reply.words[1] = abi::no_deadline; }
    if (service::vcpu_index() == 0) { look_for_requests(); } // others have woken it
    return reply;
}

service::Answer Lifecycle::on(service::SysregRead const& access) {
    auto* vm = client(access);
    if (vm == nullptr) { return service::Answer::undefined(); }
    const auto value = read_register(port_, *vm, access.vcpu, access.reg);
    return value ? service::Answer::advance(*value) : service::Answer::undefined();
}

service::Answer Lifecycle::on(service::SysregWrite const& access) {
    auto* vm = client(access);
    if (vm == nullptr) { return service::Answer::undefined(); }
    const bool known = write_register(port_, *vm, access.vcpu, access.reg, access.value);
    return known ? service::Answer::advance() : service::Answer::undefined();
}

void Lifecycle::on(service::Signals signals) {
    supervisor_.on(signals.set);
    if (port_.is_input(signals.set)) {
        while (const auto c = port_.read()) { prompt_.key(*c); }
    }
    next_ = 0;
}

void Lifecycle::on(service::Deadline) { work(); }

/// One step of whatever is underway, on vCPU 0.
void Lifecycle::work() {
    if (!ending_.begun()) { vms_.take_requests(); }
    next_ = ending_.begun() ? ending_.step() : vms_.work();
    if (!prompt_shown_ && next_ == abi::no_deadline && !ending_.begun()) {
        prompt_shown_ = true;
        terminal_.show_prompt();
    }
    if (!port_.drain()) { next_ = std::min(next_, port_.in_microseconds(1000)); }
    look_for_requests();
}

/// What guests ask of their whole VM is work for vCPU 0, at once.
void Lifecycle::look_for_requests() {
    for (auto& vm : system_.all_vms()) {
        if (vm.requests.load() != 0) { next_ = 0; }
    }
}

} // namespace lifecycle
