// SPDX-License-Identifier: MIT
// The step from booting to scheduling.
#pragma once
#include "sched/core.hpp"

namespace bulkhead {

/// The end of the boot on every core. The boot core waits for the others, and then takes the boot code [init, init_end) out of
/// EL2's address space.
[[noreturn]] void begin_scheduling(Core& core, PhysAddr init, PhysAddr init_end);

} // namespace bulkhead
