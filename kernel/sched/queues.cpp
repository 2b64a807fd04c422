// SPDX-License-Identifier: MIT
// The ready queue and the deadlines of one core: intrusive lists, no memory of their own.
#include "sched/core.hpp"

namespace bulkhead {

void TimerQueue::arm(Vcpu& vcpu, uint64_t at) {
    cancel(vcpu);
    if (at == abi::no_deadline) { return; }
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
