// SPDX-License-Identifier: MIT
// PSCI 1.1 (Arm DEN 0022) and SMCCC 1.1 (Arm DEN 0028) as a VM sees them.
#pragma once
#include "abi/message.hpp"
#include "services/lifecycle/port.hpp"
#include "services/lifecycle/system.hpp"

namespace lifecycle {

namespace psci {
constexpr uint32_t version = 0x8400'0000, cpu_suspend = 0x8400'0001, cpu_off = 0x8400'0002, cpu_on = 0x8400'0003,
                   affinity_info = 0x8400'0004, migrate = 0x8400'0005, migrate_info_type = 0x8400'0006,
                   migrate_info_up_cpu = 0x8400'0007, system_off = 0x8400'0008, system_reset = 0x8400'0009, features = 0x8400'000a,
                   system_reset2 = 0x8400'0012;
constexpr uint32_t smc64 = 0x4000'0000; ///< bit of the function identifier: 64-bit arguments

constexpr int64_t success = 0, not_supported = -1, invalid_parameters = -2, denied = -3, already_on = -4, on_pending = -5,
                  internal_failure = -6, invalid_address = -9;
constexpr int64_t version_1_1 = 0x1'0001;
constexpr int64_t affinity_on = 0, affinity_off = 1, affinity_on_pending = 2;
} // namespace psci

struct PsciAnswer {
    int64_t x0 = psci::success;
    abi::Action action = abi::Action::advance; ///< wait: until an interrupt, the vCPU's own CNTV included
};

/// Serves one HVC or SMC of the VM's vCPU. Any vCPU of lifecycle may call it, for several vCPUs of
/// the VM at once. `words` are x0..x5.
PsciAnswer serve_psci(Port& port, Vm& vm, unsigned caller, uint64_t const* words);

} // namespace lifecycle
