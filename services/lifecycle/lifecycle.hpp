// SPDX-License-Identifier: MIT
// The service: which message goes to which part. vCPU 0 does all work on whole VMs; every vCPU
// serves guests' calls.
#pragma once
#include "services/lib/message.hpp"
#include "services/lifecycle/core_port.hpp"
#include "services/lifecycle/prompt.hpp"
#include "services/lifecycle/psci.hpp"

namespace lifecycle {

class Lifecycle {
public:
    explicit Lifecycle(service::Environment const& environment);

    [[gnu::always_inline]] bool quick(service::Smccc const& call, uint64_t& x0) {
        x0 = static_cast<uint64_t>(psci::version_1_1);
        return static_cast<uint32_t>(call.words[0]) == psci::version;
    }
    service::LongAnswer on(service::Smccc const& call);
    service::Answer on(service::SysregRead const& access);
    service::Answer on(service::SysregWrite const& access);
    void on(service::Signals signals);
    void on(service::Deadline);
    /// Of the service's own vCPU of this index: only vCPU 0 ever has work.
    uint64_t const& deadline(unsigned vcpu) const { return vcpu == 0 ? next_ : never_; }

private:
    Vm* client(service::Request const& request);
    void work();
    void look_for_requests();

    CorePort port_;
    System system_;
    Terminal terminal_{port_};
    Journal journal_{port_, terminal_};
    Ending ending_{port_, system_, terminal_, journal_};
    Vms vms_{port_, system_, journal_, ending_};
    Supervisor supervisor_{port_, system_, journal_, ending_, vms_};
    Prompt prompt_{port_, system_, terminal_, journal_, ending_, vms_, supervisor_};
    uint64_t next_ = 0; ///< when there is work again
    uint64_t never_ = abi::no_deadline;
    bool prompt_shown_ = false; ///< once, after the VMs of the start are loaded
};

} // namespace lifecycle
