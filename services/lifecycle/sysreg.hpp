// SPDX-License-Identifier: MIT
// Trapped system registers of VMs that no other service owns: features, debug, PMU, LORegion, implementation-defined.
#pragma once
#include "services/lifecycle/port.hpp"
#include "services/lifecycle/system.hpp"
#include <optional>

namespace lifecycle {

/// `encoding` is abi::sysreg(). Nothing: the register is undefined for a VM; vCPU 0 of lifecycle
/// will log it.
std::optional<uint64_t> read_register(Port& port, Vm& vm, unsigned vcpu, uint32_t encoding);
/// False: undefined, likewise.
bool write_register(Port& port, Vm& vm, unsigned vcpu, uint32_t encoding, uint64_t value);

} // namespace lifecycle
