// SPDX-License-Identifier: MIT
// A test's wish that the service crash in the middle of accesses to a data register: at every N-th (`property.fault_at`) write, or
// read if `property.fault_access` = "read", `property.fault_times` times (default: once), before its committing store, after
// it, or by turns (`property.fault_point` = "before", "after", "both").
#pragma once
#include "services/lib/environment.hpp"
#include "services/uart/pl011.hpp"

namespace uart {

/// In the state region.
struct CrashState {
    uint64_t accesses;
    uint64_t crashes;
};

/// The probe to give to the models; nullptr if no test wants a crash or they have happened.
pl011::Pl011::Probe arm_crash(service::Environment const& environment, CrashState& state);

} // namespace uart
