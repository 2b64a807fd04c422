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

constexpr uint64_t slices_per_second = 200;

uint64_t slice() { return hw::read<hw::Cntfrq>().bits / slices_per_second; }
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

/// Counts a server's time for its one request, or since its last answer. True if that is more than its endpoint allows: its
/// fault then, not its caller's.
[[gnu::noinline]] bool overdue(Vcpu& server, uint64_t used) {
    const Vcpu* caller = server.caller;
    const Slot* slot = caller ? objects.find(caller->endpoint) : nullptr;
    const uint64_t bound = slot ? slot->endpoint.max_ticks : server.watch_ticks;
    const uint64_t sequence = caller ? caller->sequence : 0;
    if (server.watch_caller != caller || server.watch_sequence != sequence) {
        server.watch_caller = server.caller;
        server.watch_sequence = sequence;
        server.watch_used = used = 0; // when it began is not known: from the next look on
    }
    server.watch_used += std::min(used, slice()); // a machine that stood still is not the server's fault
    return bound != 0 && server.watch_used > bound;
}

/// The account has used the time up to now, and so some of its slice.
[[gnu::always_inline]] inline uint64_t use_time(Core& core, uint64_t time) {
    const uint64_t used = time - core.account_since;
    core.account_since = time;
    core.account->cpu_ticks += used;
    core.account->slice_left = core.slice_end > time ? core.slice_end - time : 1; // 0: a new one
    core.busy_ticks += used;
    return used;
}

/// That, and what not every account has: a budget, and a server that is watched. True if that one is overdue.
[[gnu::noinline]] bool charge(Core& core, uint64_t time) {
    Vcpu& account = *core.account;
    const uint64_t used = use_time(core, time);
    if (account.budget_ticks != 0) {
        account.budget_left -= std::min(used, account.budget_left);
        if (account.budget_left == 0 && !account.throttled && account.queued) { throttle(core, account); }
    }
    return core.current && core.current->native && overdue(*core.current, used);
}

/// Using time is all that charge() does then.
[[gnu::always_inline]] inline bool just_uses_time(const Core& core) {
    return core.account->budget_ticks == 0 && !(core.current && core.current->native);
}

/// The account from now on, for its slice or what is left of it.
[[gnu::always_inline]] inline void begin_slice(Core& core, Vcpu& next, uint64_t time) {
    core.account = &next;
    core.account_since = time;
    core.slice_end = time + (next.slice_left ? next.slice_left : slice());
}

/// The slice of an account with a budget ends with that at the latest.
[[gnu::noinline]] void begin_budget(Core& core, Vcpu& next, uint64_t time) {
    if (time >= next.period_end) { refill(next, time); }
    core.slice_end = std::min(core.slice_end, time + next.budget_left);
    if (next.budget_left == 0) { throttle(core, next); }
}

/// At the end of its slice, whoever comes after the account begins at once: nobody is charged twice.
[[gnu::noinline]] void use_slice(Core& core, uint64_t time) {
    Vcpu* account = core.account;
    if (!account) { return; }
    core.reschedule = true;
    if (just_uses_time(core)) {
        use_time(core, time);
    } else if (charge(core, time)) {
        fault(core, *core.current, FaultReason::watchdog, core.current->watch_used);
    }
    if (time < core.slice_end) { return; }
    account->slice_left = 0;
    if (account->queued) { account = &core.ready.to_back(*account); }
    begin_slice(core, *account, time);
    if (account->budget_ticks != 0) { begin_budget(core, *account, time); }
}

/// Wakes whoever's deadline passed. A few at a time: the timer fires again for the rest.
[[gnu::noinline]] void expire(Core& core, uint64_t time) {
    for (unsigned i = 0; i < 8; ++i) {
        Vcpu* vcpu = core.timers.first();
        if (!vcpu || vcpu->timer_at > time) { break; }
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
    use_slice(core, time);
}

[[gnu::noinline]] Vcpu* idle(Core& core) {
    if (core.current) { leave(core); }
    uint64_t from = now();
    hw::dsb_sy();
    hw::wfi();
    core.idle_ticks += now() - from;
    take_interrupt(core);
    return schedule(core);
}

[[gnu::noinline]] Vcpu* run_leaf(Core& core, Vcpu& account) {
    Vcpu* leaf = resolve(core, account);
    return leaf ? switch_to(core, leaf) : schedule(core);
}

[[gnu::noinline]] Vcpu* change_account(Core& core, Vcpu* next) {
    end_account(core);
    if (next) { begin_slice(core, *next, core.account_since); }
    if (next && next->budget_ticks != 0) { begin_budget(core, *next, core.account_since); }
    return schedule(core); // it may be throttled now, or somebody else
}

} // namespace

uint64_t ticks_from_us(uint64_t us) { return us * hw::read<hw::Cntfrq>().bits / 1'000'000; }

void end_account(Core& core) {
    const uint64_t time = now();
    if (core.account) { charge(core, time); }
    core.account = nullptr;
    core.account_since = time;
}

void enqueue(Core& core, Vcpu& vcpu) {
    core.ready.push_back(vcpu);
    if (core.account && vcpu.priority > core.account->priority) { core.reschedule = true; } // without one it looks anyway
}

void make_ready(Core& core, Vcpu& vcpu) {
    if (!vcpu.queued && runnable(vcpu)) { enqueue(core, vcpu); }
}

void make_unready(Core& core, Vcpu& vcpu) {
    if (core.account == &vcpu) { core.reschedule = true; }
    if (vcpu.queued) { core.ready.remove(vcpu); }
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

void wake_for_interrupt(Core& core, Vcpu& vcpu) {
    if (vcpu.native || vcpu.state != VcpuState::waiting || !deliverable(vcpu)) { return; }
    vcpu.state = VcpuState::ready;
    core.timers.cancel(vcpu);
    make_ready(core, vcpu);
}

void timer_interrupt(Core& core) {
    const uint64_t time = now();
    const Vcpu* first = core.timers.first();
    first && first->timer_at <= time ? expire(core, time) : use_slice(core, time);
}

Vcpu* schedule(Core& core) {
    core.reschedule = false;
    Vcpu* next = core.ready.best();
    if (core.account != next) {
        const bool simple = !(next && next->budget_ticks) && (!core.account || just_uses_time(core));
        if (!simple) { return change_account(core, next); }
        const uint64_t time = now();
        if (core.account) { use_time(core, time); }
        core.account = nullptr;
        if (next) { begin_slice(core, *next, time); }
    }
    uint64_t event = next ? core.slice_end : ~0ull;
    if (const Vcpu* first = core.timers.first()) { event = std::min(event, first->timer_at); }
    hw::write<hw::CnthpCval>({event});
    if (!next) { return idle(core); }
    if (next->standing == Vcpu::just_queued) { return switch_to(core, next); }
    return waits_with_signals(*next) && !core.current ? enter_with_signals(core, *next) : run_leaf(core, *next);
}

Vcpu* leave_kernel(Core& core) {
    Vcpu* vcpu = core.current;
    return core.reschedule || !vcpu ? schedule(core) : stay(core, *vcpu);
}

} // namespace bulkhead
