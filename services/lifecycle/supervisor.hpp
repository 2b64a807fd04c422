// SPDX-License-Identifier: MIT
// What a fault leads to, by each partition's policy; and restarting native partitions.
#pragma once
#include "services/lifecycle/ending.hpp"
#include "services/lifecycle/journal.hpp"
#include "services/lifecycle/port.hpp"
#include "services/lifecycle/system.hpp"
#include "services/lifecycle/vms.hpp"

namespace lifecycle {

class Supervisor {
public:
    Supervisor(Port& port, System& system, Journal& journal, Ending& ending, Vms& vms)
        : port_(port), system_(system), journal_(journal), ending_(ending), vms_(vms) {}

    /// Some vCPU of the partitions behind these signals faulted.
    void on(uint64_t signals);
    /// Starts a native partition afresh, with its data as in the image; its `state` region
    /// survives.
    void restart(Native& native, Cause cause);

private:
    /// Names each faulted vCPU; false: there is none.
    bool log_faults(Supervised const& partition);
    /// What the policy says now: `restart` counts, and becomes `stop` at the limit.
    static Policy decide(Supervised& partition);
    void vm_faulted(Vm& vm);
    void native_faulted(Native& native);
    void stop(Native& native);
    bool restore(DataMemory const& data);

    Port& port_;
    System& system_;
    Journal& journal_;
    Ending& ending_;
    Vms& vms_;
};

} // namespace lifecycle
