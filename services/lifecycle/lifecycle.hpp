// SPDX-License-Identifier: MIT
// The service: which message goes to which part. vCPU 0 does all work on whole VMs; every vCPU
// serves guests' calls.
#pragma once
#include "services/lib/message.hpp"
#include "services/lifecycle/core_port.hpp"
#include "services/lifecycle/prompt.hpp"

namespace lifecycle {

class Lifecycle {
public:
    explicit Lifecycle(service::Environment const& environment);

    service::LongAnswer on(service::Smccc const& call);
    service::Answer on(service::SysregRead const& access);
    service::Answer on(service::SysregWrite const& access);
    void on(service::Signals signals);
    void on(service::Deadline);
    uint64_t deadline();

private:
    Vm* client(service::Request const& request);
    void work();

    CorePort port_;
    System system_;
    Terminal terminal_{port_};
    Journal journal_{port_, terminal_};
    Ending ending_{port_, system_, terminal_, journal_};
    Vms vms_{port_, system_, journal_, ending_};
    Supervisor supervisor_{port_, system_, journal_, ending_, vms_};
    Prompt prompt_{port_, system_, terminal_, journal_, ending_, vms_, supervisor_};
    uint64_t next_ = 0;         ///< when there is work again
    bool prompt_shown_ = false; ///< once, after the VMs of the start are loaded
};

} // namespace lifecycle
