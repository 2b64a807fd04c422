// SPDX-License-Identifier: MIT
// The memory of one core at EL2: an unmapped guard page, its stack, and at the stack's top what the core knows (struct Core).
#pragma once
#include "sched/core.hpp"

namespace bulkhead {

struct alignas(page_size) CoreArea {
    std::byte guard[page_size];
    std::byte stack[4 * page_size - page_size - sizeof(Core) - sizeof(Core) % 16];
    alignas(16) Core core;
};

extern "C" CoreArea core_areas[abi::max_cores];

} // namespace bulkhead
