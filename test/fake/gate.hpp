// SPDX-License-Identifier: MIT
// What entry/vectors.S does with x0 before a hypercall's handler, for host tests.
#pragma once
#include "hypercall/hypercall.hpp"

namespace bulkhead::fake {

inline Result<Target> pass_gate(const Partition& caller, uint64_t x0, uint64_t number) {
    const Gate& gate = hypercall_gates[number];
    if (gate.type == ObjectType::none) { return Target{}; }
    return caller.find(x0, gate.type, gate.rights);
}

} // namespace bulkhead::fake
