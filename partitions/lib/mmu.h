// SPDX-License-Identifier: MIT
// Owns the identity map: RAM as normal write-back memory, the devices' GiBs as device memory.
#pragma once

#include "fdt.h"

namespace guest {

/// Both are called with the MMU off, devices first; RAM wins where a GiB holds both.
void mmu_map_device(const Range& device);
void mmu_map_ram(const Range& ram);

} // namespace guest
