// SPDX-License-Identifier: MIT
// A test's wish that the service crash in the middle of an access: `property.fault_at` = N (the
// N-th write to a data register, counted from 1), `property.fault_point` = "before" or "after" (its
// committing store). Only in the first life.
#pragma once
#include "services/lib/environment.hpp"
#include "services/uart/pl011.hpp"

namespace uart {

/// In the state region.
struct CrashState {
    uint64_t writes;
    uint64_t crashed;
};

/// The probe to give to the models; nullptr if no test wants a crash or it has happened.
pl011::Pl011::Probe arm_crash(service::Environment const& environment, CrashState& state);

} // namespace uart
