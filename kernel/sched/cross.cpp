// SPDX-License-Identifier: MIT
// Requests between cores: flags in a vCPU, an inbox per core, an inter-processor interrupt.
#include "sched/cross.hpp"
#include "ipc/ipc.hpp"
#include "irq/gic.hpp"
#include "irq/virtual.hpp"
#include "mm/el2_map.hpp"
#include "sched/scheduler.hpp"
#include "vcpu/switching.hpp"

namespace bulkhead {

namespace {

std::atomic<uint64_t> tickets{0};
std::atomic<uint32_t> online{0}; ///< cores that have left the boot

void stop(Core& core, Vcpu& vcpu) {
    if (core.current == &vcpu) { leave(core); }
    core.timers.cancel(vcpu);
    make_unready(core, vcpu);
    // Who sees it off sees it in no queue; what becomes of it then waits until this core has left EL2. Its interrupts go elsewhere.
    std::atomic_ref(vcpu.state).store(VcpuState::off, std::memory_order_release);
    write_back(core, vcpu);
    vcpu.paused = vcpu.throttled = vcpu.signals_due = false;
    if (core.account == &vcpu) { end_account(core); } // its memory may go before this core schedules
    abandon_requests(core, vcpu);
    vcpu.may_repeat = false;
    if (!vcpu.native) { reset_interrupts(core, vcpu); }
    unpark_all(core); // who waited for it while it was paused
}

void pause(Core& core, Vcpu& vcpu) {
    if (core.current == &vcpu) { leave(core); }
    if (core.account == &vcpu) { end_account(core); } // another core may move it before this one schedules
    write_back(core, vcpu);                           // for who reads them
    vcpu.paused = true;
    if (vcpu.parked) { unpark_all(core); } // the others wait again
    make_unready(core, vcpu);
    if (vcpu.callee) { ensure_progress(core, leaf_of(vcpu)); }
    core.reschedule = true;
}

void resume(Core& core, Vcpu& vcpu) {
    vcpu.paused = false;
    if (vcpu.state == VcpuState::faulted && !vcpu.native) { vcpu.state = VcpuState::ready; }
    wake_for_interrupt(core, vcpu);
    if (vcpu.native) { signals_arrived(core, vcpu), ensure_progress(core, vcpu); }
    if (!vcpu.caller) { make_ready(core, vcpu); }
    unpark_all(core);
}

/// Its own core resets it, too: whoever saw it off may have seen that in the middle of the exit by which it stopped.
void start(Core& core, Vcpu& vcpu) {
    reset_vcpu(vcpu, vcpu.start_entry, vcpu.start_x0, vcpu.start_x1, vcpu.start_stack);
    vcpu.state = VcpuState::ready;
    make_ready(core, vcpu);
    unpark_all(core);
}

/// Nothing of the vCPU, which is at rest and so not in this core's hardware, is in its queues any more: it is the next one's.
void leave_core(Core& core, Vcpu& vcpu) {
    lift_throttle(core, vcpu);
    const bool ends_wait = vcpu.timer_armed() && vcpu.state == VcpuState::waiting;
    core.timers.cancel(vcpu);
    if (ends_wait) { vcpu.state = VcpuState::ready; }
    if (ends_wait && vcpu.native) { deliver_deadline(vcpu); }
    vcpu.core = vcpu.next_core;
    Destination::forget_all();
}

} // namespace

/// Who has requests, and is in no inbox.
static void put_into_inbox(Vcpu& vcpu) {
    Core* target = cores[vcpu.core];
    Vcpu* head = target->inbox.load(std::memory_order_relaxed);
    do { vcpu.inbox_next = head; } while (!target->inbox.compare_exchange_weak(head, &vcpu, std::memory_order_release));
    gic::send_ipi(static_cast<unsigned>(target->index));
}

void serve_requests(Core& core, Vcpu& vcpu, uint32_t requests) {
    if (requests & request::stop) { stop(core, vcpu); }
    if (requests & request::start && vcpu.state == VcpuState::off) { start(core, vcpu); }
    if (requests & request::pause) { pause(core, vcpu); }
    if (requests & request::resume) { resume(core, vcpu); }
    if (requests & request::wake) { signals_arrived(core, vcpu); }
    if (requests & request::interrupts) {
        answer_interrupt_request(core, vcpu);
        wake_for_interrupt(core, vcpu);
    }
    if (requests & request::leave && vcpu.is_held() && !vcpu.is_tied()) { leave_core(core, vcpu); } // still
}

void ask(Core& core, Vcpu& vcpu, uint32_t requests) {
    if (cores[vcpu.core] == &core) { return serve_requests(core, vcpu, requests); }
    if (vcpu.requests.fetch_or(requests, std::memory_order_acq_rel) == 0) { put_into_inbox(vcpu); }
}

void serve_inbox(Core& core) {
    core.quiescent.store(tickets.load(std::memory_order_acquire), std::memory_order_release);
    if (core.recheck.exchange(false, std::memory_order_acquire)) { unpark_all(core); }
    Vcpu* vcpu = core.asked ? core.asked : core.inbox.exchange(nullptr, std::memory_order_acquire);
    if (!vcpu) { return; }
    Vcpu* next = vcpu->inbox_next;
    core.asked = next;
    uint32_t usual = request::interrupts;
    if (vcpu == core.current && vcpu->requests.compare_exchange_strong(usual, 0, std::memory_order_acq_rel)) {
        // It runs, and so nobody waits for more than this.
        if (vcpu->interrupts.wants_fold()) { answer_interrupt_request(core, *vcpu); }
    } else if (cores[vcpu->core] != &core) {
        // It has moved in between. Its requests stay as they are: nobody takes it for settled.
        put_into_inbox(*vcpu);
    } else {
        // Others see `serving`, and so that it is not done yet.
        core.asked = vcpu;
        serve_requests(core, *vcpu, vcpu->requests.exchange(request::serving, std::memory_order_acq_rel));
        uint32_t rest = request::serving;
        if (vcpu->requests.compare_exchange_strong(rest, 0, std::memory_order_acq_rel)) { core.asked = next; }
    }
    if (core.asked || core.inbox.load(std::memory_order_relaxed)) { gic::send_ipi(static_cast<unsigned>(core.index)); }
}

void kick_others(Core& core) {
    for (uint32_t i = 0; i < core_count; ++i) {
        if (cores[i] != &core) { gic::send_ipi(i); }
    }
}

bool stopped(Core& core, Vcpu& vcpu) {
    const auto done = [&] {
        return std::atomic_ref(vcpu.state).load(std::memory_order_acquire) == VcpuState::off &&
               vcpu.requests.load(std::memory_order_acquire) == 0; // else it is still in an inbox
    };
    if (done()) { return true; }
    ask(core, vcpu, request::stop);
    return done();
}

bool quiescent(Core& core, uint64_t& ticket) {
    if (ticket == 0) {
        ticket = tickets.fetch_add(1, std::memory_order_acq_rel) + 1;
        kick_others(core);
    }
    for (uint32_t i = 0; i < core_count; ++i) {
        if (cores[i] != &core && cores[i]->quiescent.load(std::memory_order_acquire) < ticket) { return false; }
    }
    return true;
}

extern "C" [[noreturn]] void enter(Vcpu* vcpu); // entry/vectors.S

void begin_scheduling(Core& core, PhysAddr init, PhysAddr init_end) {
    const bool last = online.fetch_add(1, std::memory_order_acq_rel) + 1 == core_count; // nobody executes the boot's code any more
    for (; last && init < init_end; init = init + page_size) { el2_map::unmap(init); }
    serve_inbox(core); // an interrupt for requests made before this core was online may be lost
    enter(schedule(core));
}

} // namespace bulkhead
