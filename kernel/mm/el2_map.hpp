// SPDX-License-Identifier: MIT
// EL2's own stage 1: an identity map of exactly what the core may touch; nothing is both writable
// and executable.
#pragma once
#include "hw.hpp"

namespace bulkhead::el2_map {

enum class Permission : uint8_t { text, rodata, data, device }; ///< r-x, r--, rw-, rw- Device-nGnRE

/// Maps [base, base+size), pages, at itself. For the boot: takes tables from core_pool, works with
/// the MMU off. Writes no barrier: the boot enables the MMU, or says dsb and isb, afterwards.
void add(PhysAddr base, uint64_t size, Permission permission);
/// Makes the tables that map_donated will need, for the boot.
void prepare(PhysAddr base, uint64_t size);

/// For TTBR0_EL2, MAIR_EL2, TCR_EL2.
uint64_t root();
constexpr uint64_t mair = 0x04ff; ///< 0: normal write-back; 1: Device-nGnRE
Value<TcrEl2> control();

/// A page of a prepared range comes under EL2's hands, or leaves them on all cores.
void map_donated(PhysAddr page);
void unmap(PhysAddr page);

} // namespace bulkhead::el2_map
