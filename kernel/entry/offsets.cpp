// SPDX-License-Identifier: MIT
// Holds entry/offsets.h to the C++ types: a number that drifts does not compile.
#include "entry/offsets.h"
#include "boot/core_area.hpp"
#include "hypercall/gate.hpp"
#include <cstddef>
#include <type_traits>

namespace bulkhead {
static_assert(offsetof(Vcpu, context) == 0 && offsetof(Vcpu, hypercall) == VCPU_HYPERCALL);
static_assert(offsetof(Vcpu, partition) == VCPU_PARTITION);
static_assert(sizeof(Capability) == 16 && offsetof(Capability, object) == 0 && offsetof(Capability, badge) == 8);
static_assert(offsetof(Partition, table) == PARTITION_TABLE && offsetof(Partition, slots) == PARTITION_SLOTS);
static_assert(sizeof(Slot) == 1 << SLOT_SHIFT && offsetof(Slot, generation) == 0 && offsetof(Slot, type) == SLOT_TYPE);
static_assert(std::is_standard_layout_v<ObjectTable>); // the slots come first
static_assert(abi::hypercall_count == HYPERCALLS && static_cast<unsigned>(abi::Hypercall::call) == 1);
static_assert(TYPE_NOTIFICATION == static_cast<int>(ObjectType::notification) && abi::right::signal == 2);
static_assert(Status::bad_handle == Status{1} && Status::bad_type == Status{2} && Status::no_right == Status{3});
static_assert(sizeof(CoreArea) == CORE_AREA_BYTES && offsetof(CoreArea, core) == CORE_OFFSET);
static_assert(offsetof(FpState, fpcr) == 512);
} // namespace bulkhead
