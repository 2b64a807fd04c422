// SPDX-License-Identifier: MIT
// The ready queue and the deadlines of one core: intrusive lists, no memory of their own.
#include "sched/core.hpp"

namespace bulkhead {

void ReadyQueue::push_back(Vcpu& vcpu) {
    unsigned p = vcpu.priority;
    vcpu.ready_next = nullptr;
    vcpu.ready_previous = last_[p];
    (last_[p] ? last_[p]->ready_next : first_[p]) = &vcpu;
    last_[p] = &vcpu;
    bitmap_ |= 1ull << p;
    vcpu.queued = true;
}

void ReadyQueue::remove(Vcpu& vcpu) {
    unsigned p = vcpu.priority;
    Vcpu *next = vcpu.ready_next, *previous = vcpu.ready_previous;
    (previous ? previous->ready_next : first_[p]) = next;
    (next ? next->ready_previous : last_[p]) = previous;
    if (!next && !previous) { bitmap_ &= ~(1ull << p); }
    vcpu.queued = false;
}

void TimerQueue::arm(Vcpu& vcpu, uint64_t at) {
    if (vcpu.timer_armed()) { cancel(vcpu); }
    Vcpu** place = &first_;
    while (*place && (*place)->timer_at <= at) { place = &(*place)->timer_next; }
    vcpu.timer_at = at;
    vcpu.timer_next = *place;
    *place = &vcpu;
}

void TimerQueue::cancel(Vcpu& vcpu) {
    if (!vcpu.timer_armed()) { return; }
    Vcpu** place = &first_;
    while (*place != &vcpu) { place = &(*place)->timer_next; }
    *place = vcpu.timer_next;
    vcpu.timer_at = abi::no_deadline;
}

} // namespace bulkhead
