// SPDX-License-Identifier: MIT
// Holds entry/offsets.h to the C++ types: a number that drifts does not compile.
#include "entry/offsets.h"
#include "boot/core_area.hpp"
#include <cstddef>

namespace bulkhead {
static_assert(offsetof(Vcpu, context) == 0 && offsetof(Vcpu, native) == VCPU_NATIVE);
static_assert(sizeof(CoreArea) == CORE_AREA_BYTES && offsetof(CoreArea, core) == CORE_OFFSET);
static_assert(offsetof(FpState, fpcr) == 512);
} // namespace bulkhead
