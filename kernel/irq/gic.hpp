// SPDX-License-Identifier: MIT
// The physical GICv3: distributor, redistributors and CPU interface, with one Security state or as
// the Non-secure state of two.
#pragma once
#include "sched/core.hpp"

namespace bulkhead::gic {

constexpr uint32_t ipi = 0, pmu = 23, maintenance = 25, hypervisor_timer = 26, virtual_timer = 27;
constexpr uint32_t first_spi = 32, last_intid = 1019;

/// Once, before any core's: all SPIs masked, in group 1.
void init_distributor(PhysAddr distributor, PhysAddr redistributors, uint64_t stride);
/// This core's redistributor and CPU interface; the interrupts above are enabled.
void init_core(Core& core);

bool has_spi(uint32_t intid); ///< the distributor implements it
/// Of an SPI. configure() leaves it masked; its core need not be online.
void configure(uint32_t intid, bool edge, unsigned core);
void mask(uint32_t intid); ///< complete when it returns: no core can acknowledge it any more
void unmask(uint32_t intid);
void send_ipi(unsigned core);

/// An acknowledged interrupt ends in two steps (EOImode=1): after the first one others are taken
/// again, after the second one it can fire again. An SPI may be deactivated by any core.
inline void drop_priority(uint32_t intid) { hw::write<hw::IccEoir1>({intid}); }
inline void deactivate(uint32_t intid) { hw::write<hw::IccDir>({intid}); }
inline void end(uint32_t intid) {
    drop_priority(intid);
    deactivate(intid);
}
/// Makes a PPI of this core active, so that it cannot fire, or inactive.
void set_active(const Core& core, uint32_t ppi, bool active);

} // namespace bulkhead::gic
