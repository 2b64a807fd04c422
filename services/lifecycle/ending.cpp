// SPDX-License-Identifier: MIT
// Ends the machine without losing what was printed.
#include "services/lifecycle/ending.hpp"

namespace lifecycle {

void Ending::begin(abi::OffReason reason, std::string_view partition) {
    if (begun_) { return; }
    begun_ = true;
    reason_ = reason;
    for (auto& vm : system_.all_vms()) {
        vm.state = VmState::changing; // no CPU_ON any more
        for (unsigned n = 0; n < vm.vcpu_count; ++n) { port_.control(vm.vcpus[n].handle, abi::VcpuOperation::stop); }
    }
    terminal_.hide_prompt();
    const std::string_view why = reason == abi::OffReason::policy ? "policy" : "poweroff";
    if (partition.empty()) {
        journal_.event_of("machine", "off", {{"reason", why}});
    } else {
        journal_.event_of("machine", "off", {{"reason", why}, {"partition", partition}});
    }
}

uint64_t Ending::step() {
    // Between two tries console runs and drains; if it is dead, the last lines are lost but the
    // machine ends.
    const auto status = port_.flush();
    const bool drained = status != abi::Status::again && status != abi::Status::server_fault;
    if (drained || ++tries_ == max_tries) { port_.off(reason_); }
    return port_.in_microseconds(1000);
}

} // namespace lifecycle
