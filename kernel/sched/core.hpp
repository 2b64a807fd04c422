// SPDX-License-Identifier: MIT
// What one physical core knows: who runs, who is ready, which deadlines are next. Only its own core touches it, except the inbox.
#pragma once
#include "vcpu/vcpu.hpp"

namespace bulkhead {

/// 64 priorities, first-in first-out within one, constant time.
class ReadyQueue {
public:
    void push_back(Vcpu& vcpu);
    void remove(Vcpu& vcpu);
    /// The first of its priority lets the others go first; returns who is next.
    Vcpu& to_back(const Vcpu& first) { return *(first_[first.priority] = first.ready_next); }
    /// `next` takes the place of the only one of its priority.
    void replace(const Vcpu& only, Vcpu& next) { first_[only.priority] = next.ready_next = next.ready_previous = &next; }
    Vcpu* best() const { return bitmap_ ? first_[63 - __builtin_clzll(bitmap_)] : nullptr; }

private:
    uint64_t bitmap_ = 0;
    Vcpu* first_[abi::priorities] = {}; ///< each in a ring with those that come after it
};

inline void ReadyQueue::push_back(Vcpu& vcpu) {
    const unsigned p = vcpu.priority;
    Vcpu *first = first_[p], *last = &vcpu;
    if (first) {
        last = first->ready_previous;
    } else {
        bitmap_ |= 1ull << p;
        first_[p] = first = &vcpu;
    }
    vcpu.ready_next = first;
    vcpu.ready_previous = last;
    last->ready_next = first->ready_previous = &vcpu;
    vcpu.queued = true;
}

inline void ReadyQueue::remove(Vcpu& vcpu) {
    vcpu.queued = false;
    const unsigned p = vcpu.priority;
    Vcpu *next = vcpu.ready_next, *previous = vcpu.ready_previous;
    previous->ready_next = next;
    next->ready_previous = previous;
    if (first_[p] != &vcpu) { return; }
    first_[p] = next;
    if (next != &vcpu) { return; }
    first_[p] = nullptr;
    bitmap_ &= ~(1ull << p);
}

/// The core's deadlines, soonest first.
class TimerQueue {
public:
    void arm(Vcpu& vcpu, uint64_t at); ///< no_deadline: as cancel()
    void cancel(Vcpu& vcpu);
    Vcpu* first() const { return first_; }

private:
    Vcpu* first_ = nullptr;
};

struct Core {
    uint64_t index;
    Vcpu* current = nullptr;  ///< whose registers entry code saves and restores; null while idle
    Vcpu* account = nullptr;  ///< whose time is used: current itself, or a caller that waits for current
    Vcpu* resident = nullptr; ///< VM vCPU whose EL1 state is in the hardware
    Vcpu* loaded = nullptr;   ///< resident, with nothing left to do when it is entered
    Vcpu* fp_owner = nullptr; ///< VM vCPU whose FP/SIMD state is in the hardware
    bool reschedule = false;
    uint64_t account_since = 0; ///< CNTPCT when account began to run
    uint64_t slice_end = 0;
    ReadyQueue ready{};
    TimerQueue timers{};
    Vcpu* parked = nullptr;           ///< list by ready_next
    std::atomic<bool> recheck{false}; ///< another core asks to look at the parked ones again
    std::atomic<Vcpu*> inbox{nullptr};
    Vcpu* asked = nullptr;              ///< taken out of the inbox, and not served yet
    std::atomic<uint64_t> quiescent{0}; ///< the last quiescence request that this core has answered
    uint64_t idle_ticks = 0, busy_ticks = 0, switches = 0;
    uint32_t list_registers = 0;
    bool open_pmu = false; ///< its PMU is everybody's: set before init_controls

    /// TPIDR_EL2 holds its address.
    static Core& self() { return *reinterpret_cast<Core*>(hw::read<hw::TpidrEl2>().bits); }
};

extern Core* cores[abi::max_cores];
extern uint32_t core_count;

} // namespace bulkhead
