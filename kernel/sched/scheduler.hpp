// SPDX-License-Identifier: MIT
// Who runs on a core: priorities, budgets, deadlines; the account whose time is used and the vCPU that executes on it.
#pragma once
#include "sched/core.hpp"

namespace bulkhead {

/// True if the vCPU, as an account, has something to run.
inline bool runnable(const Vcpu& vcpu) {
    return !(vcpu.standing & Vcpu::held_back) && (vcpu.state == VcpuState::ready || vcpu.state == VcpuState::calling ||
                                                  (vcpu.state == VcpuState::waiting && vcpu.signals_due));
}
/// The last vCPU of its chain of delivered requests.
inline Vcpu& leaf_of(Vcpu& account) {
    Vcpu* leaf = &account;
    while (leaf->callee) { leaf = leaf->callee; }
    return *leaf;
}
/// Puts an account, which is runnable and not there, in the ready queue.
void enqueue(Core& core, Vcpu& vcpu);
/// Puts a runnable account in the ready queue, if it is not, and has the core look again if it is more urgent than who runs.
void make_ready(Core& core, Vcpu& vcpu);
/// Takes it out; if it is the account that runs, the core chooses anew.
void make_unready(Core& core, Vcpu& vcpu);
/// A server in the middle of a request runs on its own priority and budget unless somebody's time can reach it.
void ensure_progress(Core& core, Vcpu& server);
/// Chooses an account, resolves it, idles while there is none. Returns the vCPU to enter.
Vcpu* schedule(Core& core);
/// Its budget is looked at again when it is chosen. For one that waits: its timer is for that, then.
inline void lift_throttle(Core& core, Vcpu& vcpu) {
    if (vcpu.throttled) { core.timers.cancel(vcpu), vcpu.throttled = false; }
}
/// The way out of every handler that may have woken somebody.
Vcpu* leave_kernel(Core& core);
/// Has vcpu_fault's and the timers' work done: deadlines, slices, budgets.
void timer_interrupt(Core& core);
/// Blocks `vcpu` (state waiting) until `at` (CNTPCT), if that is not no_deadline. The core chooses anew behind that.
inline void wait_until(Core& core, Vcpu& vcpu, uint64_t at) {
    vcpu.state = VcpuState::waiting;
    lift_throttle(core, vcpu);
    if (vcpu.queued) { core.ready.remove(vcpu); }
    if (vcpu.timer_at != at) { core.timers.arm(vcpu, at); }
}
/// Wakes a VM's vCPU that waits, if an interrupt can be delivered to it.
void wake_for_interrupt(Core& core, Vcpu& vcpu);
/// Puts all parked accounts back: a server has come back.
void unpark_all(Core& core);
void park(Core& core, Vcpu& account);
/// Charges the account that runs for its time up to now; there is none then.
void end_account(Core& core);
/// The account leaves what is left of its turn to `next`.
[[gnu::always_inline]] inline void pass_turn(Core& core, Vcpu& account, Vcpu& next) {
    const uint64_t time = hw::read<hw::Cntpct>().bits, used = time - core.account_since;
    account.cpu_ticks += used;
    core.busy_ticks += used;
    core.account_since = time;
    core.account = &next;
}
uint64_t ticks_from_us(uint64_t us);

} // namespace bulkhead
