// SPDX-License-Identifier: MIT
// The hypercalls that change objects, mappings and capability tables: one at a time, and nobody waits for its turn at
// EL2.
#pragma once
#include "hypercall/hypercall.hpp"
#include "lib/lock.hpp"

namespace bulkhead {

constexpr bool mutates(uint64_t number) {
    const auto call = static_cast<abi::Hypercall>(number);
    return (call >= abi::Hypercall::delegate && call <= abi::Hypercall::vcpu_control) || call == abi::Hypercall::interrupt_bind ||
           call == abi::Hypercall::route;
}

/// Whoever finds the lock taken, or whose partition is being destroyed, comes again.
inline Status mutate(HypercallHandler* handler, Core& core, Vcpu& self, const Arguments& arguments) {
    if (mutation.exchange(true, std::memory_order_acquire)) { return restart; }
    Status status = self.partition->dying ? restart : handler(core, self, arguments);
    mutation.store(false, std::memory_order_release);
    return status;
}

} // namespace bulkhead
