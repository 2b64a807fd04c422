// SPDX-License-Identifier: MIT
// What a hypercall needs of the object that x0 names. entry/vectors.S looks there before anything else (but for a call, which may
// know already): a bad handle is the first error of every hypercall, and costs the least.
#pragma once
#include "cap/partition.hpp"

namespace bulkhead {

struct Gate {
    ObjectType type; ///< none: x0 is no handle, or the handler's own business
    bool mutates;    ///< changes objects, mappings, capability tables, or who may run: one at a time, and nobody waits at EL2
    uint32_t rights;
};
static_assert(sizeof(Gate) == 8 && offsetof(Gate, type) == 0 && offsetof(Gate, rights) == 4);

extern "C" const Gate hypercall_gates[abi::hypercall_count + 1]; ///< by abi::Hypercall

} // namespace bulkhead
