// SPDX-License-Identifier: MIT
// The memory of one core at EL2: an unmapped guard page, its stack, and at the stack's top what the core knows (struct Core).
#pragma once
#include "sched/core.hpp"

namespace bulkhead {

constexpr uint64_t reserved_for_core = 2048;

struct alignas(page_size) CoreArea {
    std::byte guard[page_size];
    std::byte stack[3 * page_size - reserved_for_core];
    alignas(reserved_for_core) Core core;
};

extern "C" CoreArea core_areas[abi::max_cores];

} // namespace bulkhead
