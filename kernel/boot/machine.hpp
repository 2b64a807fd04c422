// SPDX-License-Identifier: MIT
// The machine's end and its firmware: PSCI by SMC.
#pragma once
#include "cap/partition.hpp"

namespace bulkhead {

[[noreturn]] void power_off();
[[noreturn]] void reset();
/// A partition without a supervisor faulted: says so on the PL011 and powers off.
[[noreturn]] void end_by_policy(const Partition& partition);
/// PSCI CPU_ON; the firmware's status.
int64_t start_cpu(uint64_t mpidr, uint64_t entry, uint64_t context);

} // namespace bulkhead
