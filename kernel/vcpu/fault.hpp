// SPDX-License-Identifier: MIT
// A vCPU that did what nobody can serve is suspended, and left to its supervisor.
#pragma once
#include "sched/core.hpp"

namespace bulkhead {

/// Suspends `vcpu`; its supervisor gets a signal, or the machine ends if it has none. `detail` as FaultReason says.
void fault(Core& core, Vcpu& vcpu, FaultReason reason, uint64_t detail);

/// What an SError taken from a partition means (Arm ARM, ESR_EL2 ISS for SError; AET with FEAT_RAS).
enum class SerrorScope : uint8_t { partition, machine, none };
SerrorScope serror_scope(uint64_t esr, bool has_ras);

} // namespace bulkhead
