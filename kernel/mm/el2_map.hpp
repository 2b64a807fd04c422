// SPDX-License-Identifier: MIT
// EL2's own stage 1: an identity map of exactly what the core may touch; nothing is both writable
// and executable.
#pragma once
#include "hw.hpp"

namespace bulkhead::el2_map {

/// What a page's descriptor says beside its address (Arm ARM, D8.3: stage 1 attributes, EL2).
enum class Permission : uint64_t {
    text = 3 | 1 << 6 | 1 << 7 | 3 << 8 | 1 << 10, ///< r-x: a page; AP[1] is RES1; read-only; inner shareable; the access flag
    rodata = text | 1ull << 54,                    ///< r--: never executed
    data = rodata & ~(1 << 7),                     ///< rw-
    device = data | 1 << 2,                        ///< rw- Device-nGnRE: attribute 1 of `mair`
};

/// Maps [base, base+size), pages, at itself. For the boot: takes tables from core_pool, works with
/// the MMU off. Writes no barrier: the boot enables the MMU, or says dsb and isb, afterwards.
void add(PhysAddr base, uint64_t size, Permission permission);
/// Makes the tables that map_donated will need, for the boot.
void prepare(PhysAddr base, uint64_t size);

constexpr uint64_t mair = 0x04ff; ///< attribute 0: normal write-back; 1: Device-nGnRE
/// The table of level 1.
uint64_t* root();
/// Turns this core's MMU on, and with it the caches.
void enable();

/// A page of a prepared range comes under EL2's hands, or leaves them on all cores.
void map_donated(PhysAddr page);
void unmap(PhysAddr page);

} // namespace bulkhead::el2_map
