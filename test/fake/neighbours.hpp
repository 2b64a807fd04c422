// SPDX-License-Identifier: MIT
// For tests of objects and memory alone: other cores and vCPUs that stop and leave EL2 when the test says so.
#pragma once
#include "vcpu/vcpu.hpp"
#include <vector>

namespace bulkhead::fake {

inline unsigned stop_delay = 0;       ///< so often stopped() is false, per vCPU
inline unsigned quiescence_delay = 0; ///< so often quiescent() is false, per ticket
inline unsigned late_requests = 0; ///< so often stopped() is false after quiescent() was true: another core had asked for something
inline std::vector<const Vcpu*> asked_to_stop;
inline unsigned rechecks;                 ///< that the waiting ones look again
inline unsigned releases, early_releases; ///< of a VM's interrupts, while all are quiescent, or not
void reset_neighbours();

} // namespace bulkhead::fake
