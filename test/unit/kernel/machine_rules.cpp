// SPDX-License-Identifier: MIT
// The rules that hold for every vCPU and queue of machine.hpp's machine whenever a core is not in EL2.
#include "ipc/ipc.hpp"
#include "machine.hpp"
#include "sched/scheduler.hpp"

namespace bulkhead::test {

namespace {

/// What resolve() would find, without doing anything.
bool could_run(const Vcpu& account) {
    const Vcpu* leaf = &account;
    for (;;) {
        if (leaf->is_held()) { return false; }
        if (leaf->state != VcpuState::calling) { return leaf->state == VcpuState::ready || leaf->signals_due || leaf != &account; }
        const Slot* endpoint = objects.find(leaf->endpoint);
        const Vcpu* next = leaf->callee ? leaf->callee : endpoint ? endpoint->endpoint.server[leaf->core] : nullptr;
        if (!next) { return true; } // it is told so
        leaf = next;
    }
}

template <class Next> bool in_list(const Vcpu* first, const Vcpu& vcpu, Next next) {
    for (; first; first = first->*next) {
        if (first == &vcpu) { return true; }
    }
    return false;
}

bool reached(const Vcpu* vcpu) {
    for (; vcpu; vcpu = vcpu->caller) {
        if (vcpu->queued) { return true; }
    }
    return false;
}

} // namespace

void Machine::check() {
    for (unsigned n = 0; n < core_count; ++n) {
        const Core& one = *cores[n];
        if (!one.current || one.reschedule) { continue; }
        const Vcpu* best = one.ready.best(); // nobody more urgent than the account waits
        CHECK((one.account && leaf_of(*one.account).core == n));
        CHECK((best && best->priority == one.account->priority));
    }
    for (Vcpu* vcpu : vcpus) {
        const Vcpu& v = *vcpu;
        const Core& home = *cores[v.core];
        INFO(v.partition->name << ", vCPU " << unsigned{v.index} << ", standing " << std::hex << v.standing << ", caller "
                               << Catch::StringMaker<Vcpu*>::convert(v.caller) << ", callee "
                               << Catch::StringMaker<Vcpu*>::convert(v.callee));
        if (v.callee) {
            CHECK(v.callee->caller == vcpu);
            CHECK(v.state == VcpuState::calling);
        }
        if (v.caller) { CHECK(v.caller->callee == vcpu); }
        if (v.queued) { CHECK(runnable(v)); }
        if (v.queued && v.ready_next) { CHECK(v.ready_next->ready_previous == vcpu); }
        CHECK(v.parked == in_list(home.parked, v, &Vcpu::ready_next));
        CHECK(v.timer_armed() == in_list(home.timers.first(), v, &Vcpu::timer_next));
        if (v.timer_armed() && v.timer_next) { CHECK(v.timer_at <= v.timer_next->timer_at); }
        if (v.requests.load() != 0 || home.recheck.load()) { continue; } // its core has yet to look
        if (v.throttled) { CHECK(v.timer_at <= v.period_end); }
        if (v.parked) { CHECK_FALSE(could_run(v)); }
        const bool active = v.state == VcpuState::ready || v.state == VcpuState::calling;
        const Vcpu& leaf = leaf_of(*vcpu);
        const bool may_run = active && !v.paused && !v.throttled && !v.parked && could_run(v);
        if (may_run && !leaf.throttled) { CHECK(reached(&leaf)); } // else it waits for its own next period
        if (v.native && v.state == VcpuState::waiting && v.notification && !v.paused) {
            CHECK((v.notification->pending.load() == 0 || v.signals_due));
        }
    }
}

} // namespace bulkhead::test
