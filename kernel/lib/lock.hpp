// SPDX-License-Identifier: MIT
// The core's two locks: one for mutations of mappings, derivation and capability tables, which nobody waits for at EL2 (a hypercall
// that finds it taken restarts), and short spin locks for a VM's interrupt state.
#pragma once
#include "hw.hpp"
#include <atomic>

namespace bulkhead {

/// Held for a few hundred instructions at most, interrupts masked: the holder always runs.
class SpinLock {
public:
    [[gnu::always_inline]] void lock() {
        while (flag_.exchange(1, std::memory_order_acquire)) { hw::yield(); }
    }
    void unlock() { flag_.store(0, std::memory_order_release); }

private:
    std::atomic<uint32_t> flag_{0};
};

/// Taken by every hypercall that changes mappings, derivation, capability tables or objects.
extern std::atomic<bool> mutation;

} // namespace bulkhead
