// SPDX-License-Identifier: MIT
// The boot table: checked, then instantiated in one pass.
#pragma once
#include "sched/core.hpp"

namespace bulkhead::boot_table {

/// Magic, version, checksums of table and payloads; says on the PL011 what is wrong and ends the machine. The MMU is off.
void check(abi::BootHeader& header);
/// EL2 tables for what may be donated later; memory without an address becomes that of the machine's device tree. The MMU is off.
void prepare(abi::BootHeader& header, uint64_t device_tree);
/// Makes every object, mapping and capability; starts the vCPUs.
void instantiate(Core& core, abi::BootHeader& header);

} // namespace bulkhead::boot_table
