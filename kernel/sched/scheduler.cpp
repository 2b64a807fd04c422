// SPDX-License-Identifier: MIT
// Choosing who runs: priorities with round robin, budgets, and the accounts whose time servers use.
#include "sched/scheduler.hpp"
#include "entry/trap.hpp"
#include "ipc/ipc.hpp"
#include "irq/virtual.hpp"
#include "vcpu/fault.hpp"
#include "vcpu/switching.hpp"
#include <algorithm>

namespace bulkhead {

namespace {

constexpr uint64_t slice_us = 5'000;

uint64_t now() { return hw::read<hw::Cntpct>().bits; }

void refill(Vcpu& vcpu, uint64_t time) {
    vcpu.budget_left = vcpu.budget_ticks;
    vcpu.period_end = time + vcpu.period_ticks;
}

/// The account's budget is used up: it waits for its next period; a server in the middle of its request goes on by itself.
void throttle(Core& core, Vcpu& account) {
    account.throttled = true;
    make_unready(core, account);
    core.timers.arm(account, account.period_end);
    ensure_progress(core, leaf_of(account));
}

/// Counts a server's time for its one request, or since its last answer.
void watch(Vcpu& server, uint64_t used) {
    uint64_t sequence = server.caller ? server.caller->sequence : 0;
    if (server.watch_caller == server.caller && server.watch_sequence == sequence) {
        server.watch_used += std::min(used, ticks_from_us(slice_us)); // a machine that stood still is not the server's fault
        return;
    }
    server.watch_caller = server.caller;
    server.watch_sequence = sequence;
    server.watch_used = 0; // when it began is not known: from the next look on
}

/// Has its one request used more than its endpoint allows? That is its fault then, not its caller's.
bool overdue(const Vcpu& server) {
    const Slot* slot = server.caller ? objects.find(server.caller->endpoint) : nullptr;
    const uint64_t bound = slot ? slot->endpoint.max_ticks : server.watch_ticks;
    return bound != 0 && server.watch_used > bound;
}

void charge(Core& core, uint64_t time) {
    Vcpu& account = *core.account;
    uint64_t used = time - core.account_since;
    if (core.current && core.current->native) { watch(*core.current, used); }
    core.account_since = time;
    account.cpu_ticks += used;
    core.busy_ticks += used;
    if (account.budget_ticks == 0) { return; }
    account.budget_left -= std::min(used, account.budget_left);
    if (account.budget_left == 0 && !account.throttled && account.queued) { throttle(core, account); }
}

/// Wakes whoever's deadline passed. A few at a time: the timer fires again for the rest.
void expire(Core& core, uint64_t time) {
    for (unsigned i = 0; i < 8; ++i) {
        Vcpu* vcpu = core.timers.first();
        if (!vcpu || vcpu->timer_at > time) { return; }
        core.timers.cancel(*vcpu);
        if (vcpu->throttled) {
            vcpu->throttled = false;
            refill(*vcpu, time);
        } else if (vcpu->state == VcpuState::waiting) {
            vcpu->state = VcpuState::ready;
            vcpu->native ? deliver_deadline(*vcpu) : wait_is_over(core, *vcpu, time);
        } else {
            continue; // a busy server looks at its deadline when it answers
        }
        make_ready(core, *vcpu);
    }
}

void idle(Core& core) {
    set_account(core, nullptr);
    program_timer(core);
    uint64_t from = now();
    hw::dsb_sy();
    hw::wfi();
    core.idle_ticks += now() - from;
    take_interrupt(core);
}

/// Who runs goes on.
Vcpu* stay(Core& core, Vcpu& vcpu) {
    if (!vcpu.native && vcpu.interrupts.is_dirty()) { before_guest(core, vcpu); }
    return &vcpu;
}

} // namespace

uint64_t ticks_from_us(uint64_t us) { return us * hw::read<hw::Cntfrq>().bits / 1'000'000; }

void set_account(Core& core, Vcpu* next) {
    if (core.account == next) { return; }
    uint64_t time = now();
    if (core.account) {
        charge(core, time);
        core.account->slice_left = core.slice_end > time ? core.slice_end - time : 1; // 0: a new one
    }
    core.account = next;
    core.account_since = time;
    if (!next) { return; }
    core.slice_end = time + (next->slice_left ? next->slice_left : ticks_from_us(slice_us));
    if (next->budget_ticks == 0) { return; }
    if (time >= next->period_end) { refill(*next, time); }
    if (next->budget_left == 0) { throttle(core, *next); }
}

void make_ready(Core& core, Vcpu& vcpu) {
    if (vcpu.queued || !runnable(vcpu)) { return; }
    core.ready.push_back(vcpu);
    if (!core.account || vcpu.priority > core.account->priority || !core.current) { core.reschedule = true; }
}

void make_unready(Core& core, Vcpu& vcpu) {
    if (vcpu.queued) { core.ready.remove(vcpu); }
    if (core.account == &vcpu) { core.reschedule = true; }
}

void ensure_progress(Core& core, Vcpu& server) {
    if (!server.native || server.state == VcpuState::waiting) { return; }
    Vcpu* root = &server;
    while (root->caller) { root = root->caller; }
    if (!root->queued) { make_ready(core, server); }
}

void park(Core& core, Vcpu& account) {
    make_unready(core, account);
    account.parked = true;
    account.ready_next = core.parked;
    core.parked = &account;
    ensure_progress(core, leaf_of(account)); // behind a server that is paused, another one goes on
}

void unpark_all(Core& core) {
    Vcpu* vcpu = core.parked;
    core.parked = nullptr;
    while (vcpu) {
        Vcpu* next = vcpu->ready_next;
        vcpu->parked = false;
        vcpu->ready_next = nullptr;
        make_ready(core, *vcpu);
        vcpu = next;
    }
}

void wait_until(Core& core, Vcpu& vcpu, uint64_t at) {
    vcpu.state = VcpuState::waiting;
    lift_throttle(core, vcpu);
    make_unready(core, vcpu);
    if (at != abi::no_deadline) { core.timers.arm(vcpu, at); }
    core.reschedule = true;
}

void wake_for_interrupt(Core& core, Vcpu& vcpu) {
    if (vcpu.native || vcpu.state != VcpuState::waiting || !deliverable(vcpu)) { return; }
    vcpu.state = VcpuState::ready;
    core.timers.cancel(vcpu);
    make_ready(core, vcpu);
}

void program_timer(Core& core) {
    const Vcpu* account = core.account;
    uint64_t next = account ? core.slice_end : ~0ull;
    // One that has nothing left is throttled already: a deadline in the past would fire until it has left.
    if (account && account->budget_ticks && account->budget_left) {
        next = std::min(next, core.account_since + account->budget_left);
    }
    if (Vcpu* first = core.timers.first()) { next = std::min(next, first->timer_at); }
    hw::write<hw::CnthpCval>({next});
}

void timer_interrupt(Core& core) {
    uint64_t time = now();
    expire(core, time);
    if (Vcpu* account = core.account) {
        charge(core, time);
        if (Vcpu* vcpu = core.current; vcpu && overdue(*vcpu)) { fault(core, *vcpu, FaultReason::watchdog, vcpu->watch_used); }
        if (time >= core.slice_end) {
            core.slice_end = time + ticks_from_us(slice_us);
            if (account->queued) { core.ready.to_back(*account); }
            core.reschedule = true;
        }
    }
    if (!core.reschedule) { program_timer(core); }
}

Vcpu* schedule(Core& core) {
    for (;;) {
        core.reschedule = false;
        Vcpu* account = core.ready.best();
        if (!account) {
            if (core.current) { leave(core); }
            idle(core);
            continue;
        }
        set_account(core, account);
        if (!account->queued) { continue; } // charging the former account throttled it
        Vcpu* leaf = account->state == VcpuState::ready && !account->paused ? account : resolve(core, *account);
        if (!leaf) { continue; }
        program_timer(core);
        if (core.current == leaf) { return stay(core, *leaf); }
        if (core.current) { leave(core); }
        return enter_slowly(core, *leaf);
    }
}

Vcpu* leave_kernel(Core& core) { return core.reschedule || !core.current ? schedule(core) : stay(core, *core.current); }

} // namespace bulkhead
