// SPDX-License-Identifier: MIT
// The earliest time at which a service's vCPUs have something to do by themselves: what several of them may set at once, and the loop
// reads before each wait.
#pragma once
#include "abi/message.hpp"
#include <cstdint>

namespace service {

class Alarm {
public:
    /// At this time in CNTPCT ticks, or before.
    void set(uint64_t ticks) {
        uint64_t current = __atomic_load_n(&ticks_, __ATOMIC_RELAXED);
        while (ticks < current &&
               !__atomic_compare_exchange_n(&ticks_, &current, ticks, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
    }
    /// It has come. First forget it, then look at all that there is to do: whoever sets it meanwhile sets it anew.
    void forget() { __atomic_store_n(&ticks_, abi::no_deadline, __ATOMIC_SEQ_CST); }
    uint64_t const& ticks() const { return ticks_; }

private:
    uint64_t ticks_ = abi::no_deadline;
};

} // namespace service
