// SPDX-License-Identifier: MIT
// Reads what lifecycle looks after out of its environment page.
#pragma once
#include "services/lib/environment.hpp"
#include "services/lifecycle/system.hpp"

namespace lifecycle {

/// Fills an empty System. Names are those of docs/environment.md; what exceeds a bound of
/// system.hpp faults.
void describe(service::Environment const& environment, System& system);

} // namespace lifecycle
