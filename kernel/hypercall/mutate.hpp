// SPDX-License-Identifier: MIT
// What the hypercalls that change objects, mappings and tables have in common.
#pragma once
#include "cap/memory.hpp"
#include "lib/lock.hpp"

namespace bulkhead::hypercall {

/// Calls `body` under the mutation lock; whoever finds it taken, or whose partition is being
/// destroyed, comes again.
template <class Body> HypercallResult mutate(const Vcpu& self, Body body) {
    const TryLock lock(mutation);
    if (!lock || self.partition->dying) { return restart; }
    return body();
}

/// `ok` as a handler's result.
inline HypercallResult done(Status status) {
    return status == Status::ok ? HypercallResult{uint64_t{0}} : HypercallResult{status};
}

} // namespace bulkhead::hypercall
