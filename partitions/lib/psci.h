// SPDX-License-Identifier: MIT
// Owns PSCI calls through the conduit that the device tree names.
#pragma once

#include <cstdint>

namespace guest::psci {

enum Status : int32_t {
    success = 0,
    not_supported = -1,
    invalid_parameters = -2,
    already_on = -4,
    on_pending = -5,
};

enum Affinity : int32_t { on = 0, off = 1, pending = 2 };

/// Major in the upper, minor in the lower half; negative if there is no PSCI.
int32_t version();
int32_t cpu_on(uint64_t affinity, void (*entry)(), const void* context);
int32_t affinity_info(uint64_t affinity);
/// These three do not return, unless there is no PSCI.
void cpu_off();
void system_off();
void system_reset();

} // namespace guest::psci
