// SPDX-License-Identifier: MIT
// Sets of INTIDs, and a queue of them by priority; every operation takes constant time.
#pragma once
#include "abi/hypercall.hpp"
#include "irq/word.hpp"
#include <atomic>

namespace bulkhead {

class IntidSet {
public:
    void insert(unsigned intid) { bits_[intid / 64] |= 1ull << intid % 64; }
    void remove(unsigned intid) { bits_[intid / 64] &= ~(1ull << intid % 64); }
    bool empty() const { return (bits_[0] | bits_[1] | bits_[2] | bits_[3]) == 0; }
    /// The lowest one that is not below `from`, or `end`.
    unsigned next(unsigned from) const {
        for (unsigned i = from / 64; i < words; ++i) {
            uint64_t left = i == from / 64 ? bits_[i] & ~0ull << from % 64 : bits_[i];
            if (left) { return i * 64 + static_cast<unsigned>(__builtin_ctzll(left)); }
        }
        return end;
    }
    static constexpr unsigned end = abi::max_virtual_intid + 1;

private:
    static constexpr unsigned words = end / 64;
    uint64_t bits_[words];
};

/// What can be delivered and is not in a list register, by priority, then by INTID. Changed under
/// the VM's lock; empty() and level() may be asked without.
class InterruptQueue {
public:
    void insert(unsigned level, unsigned intid) {
        at_[level].insert(intid);
        levels_.store(levels() | 1u << level, std::memory_order_release);
    }
    void remove(unsigned level, unsigned intid) {
        at_[level].remove(intid);
        if (at_[level].empty()) { levels_.store(levels() & ~(1u << level), std::memory_order_relaxed); }
    }
    bool empty() const { return levels() == 0; }
    /// The most urgent level that is in use (0 is the most urgent), not to be asked of an empty
    /// queue.
    unsigned level() const { return static_cast<unsigned>(__builtin_ctz(levels())); }
    unsigned best() const { return at_[level()].next(0); }

private:
    uint32_t levels() const { return levels_.load(std::memory_order_acquire); }
    std::atomic<uint32_t> levels_;
    IntidSet at_[priority_levels];
};

} // namespace bulkhead
