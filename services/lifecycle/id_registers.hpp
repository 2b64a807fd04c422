// SPDX-License-Identifier: MIT
// The feature registers that a VM sees: the CPU's own, without what Bulkhead does not give a VM.
#pragma once
#include "services/lifecycle/extras.hpp"
#include <cstdint>

namespace lifecycle {

/// `encoding` (abi::sysreg()) is in the space of feature registers, op0 3, op1 0, CRn 0, CRm 1 to 7: those that HCR_EL2.TID3 traps.
bool is_id_register(uint32_t encoding);
/// What a VM reads where the CPU has `value`. Registers without a name here are zero, as the architecture has reserved ones.
uint64_t id_register_for_vm(uint32_t encoding, uint64_t value, Extras const& extras);

} // namespace lifecycle
