// SPDX-License-Identifier: MIT
// Who runs when: priorities, turns among equals, budgets; measured by counted progress.
#include "test/guests/ipc/parts.hpp"

namespace test {
namespace {

constexpr unsigned first = 1, second = 2, third = 3, server = 0;
constexpr Handle slot = 10, slot_signal = 40;

void count_up(uint64_t n) {
    for (;;) { __atomic_store_n(&facts().count[n], facts().count[n] + 1, __ATOMIC_RELAXED); }
}

/// Its progress in that time.
uint64_t progress(unsigned n, uint64_t us) {
    uint64_t const before = __atomic_load_n(&facts().count[n], __ATOMIC_RELAXED);
    uint64_t const end = now() + ticks(us);
    while (now() < end) { receive(end); }
    return __atomic_load_n(&facts().count[n], __ATOMIC_RELAXED) - before;
}

void stop(unsigned n) { vcpu_control(crew.vcpu(n), abi::VcpuOperation::stop); }

void check_priorities() {
    clear_facts();
    crew.run(first, 0, 20, count_up, 1);
    crew.run(second, 0, 19, count_up, 2);
    check("priority.higher_runs", progress(1, 20'000) > 0);
    check("priority.lower_waits", 0, facts().count[2]);
    check("priority.raise", Status::ok, vcpu_schedule(crew.vcpu(second), 21, 0, 0));
    uint64_t const before = facts().count[1];
    check("priority.raised_runs", progress(2, 20'000) > 0);
    check("priority.other_waits", before, facts().count[1]);
    stop(first), stop(second);
}

/// Somebody more urgent comes every 2 ms: turns of 5 ms must still end.
void disturb(uint64_t) {
    for (uint64_t at = now();;) {
        at += ticks(2'000);
        receive(at);
    }
}

void check_equals() {
    clear_facts();
    crew.run(first, 0, 20, count_up, 1);
    crew.run(second, 0, 20, count_up, 2);
    uint64_t const one = progress(1, 60'000), two = facts().count[2];
    check_range("equal.share", 400, 600, 1000 * one / (one + two));
    crew.run(third, 0, 30, disturb);
    uint64_t const before = facts().count[2]; // not cleared: who is preempted between load and store brings the old count back
    uint64_t const disturbed = progress(1, 60'000);
    check_range("equal.share_disturbed", 400, 600, 1000 * disturbed / (disturbed + facts().count[2] - before));
    stop(first), stop(second), stop(third);
}

void check_budget() {
    clear_facts();
    crew.run(first, 0, 20, count_up, 1);
    uint64_t const all = progress(1, 20'000);
    check("budget.set", Status::ok, vcpu_schedule(crew.vcpu(first), 20, 1'000, 10'000));
    progress(1, 20'000);
    uint64_t const some = progress(1, 100'000);
    check_range("budget.per_mille", 80, 105, 200 * some / all);
    crew.run(second, 0, 10, count_up, 2);
    check_range("budget.rest_for_others", 850, 920, 500 * progress(2, 40'000) / all);
    check("budget.lift", Status::ok, vcpu_schedule(crew.vcpu(first), 20, 0, 0));
    check_range("budget.lifted", 900, 1010, 1000 * progress(1, 20'000) / all);
    stop(first), stop(second);
}

/// A server whose own budget is used up in the middle of signals, and whom a caller carries to its next wait, still gets the
/// signals after that.
void work_on_signals(uint64_t) {
    LongAnswer answer;
    for (;;) {
        auto const m = receive(abi::no_deadline, answer);
        if (m.tag.kind() == abi::Kind::signals) { spin_us(4'000), ++facts().count[5]; }
        answer = LongAnswer::make(1, 0);
    }
}

void check_throttled_server() {
    clear_facts();
    Handle const notification = take_slot();
    Handle const memory = take_pages(4096), vcpu = take_slot();
    (void)memory, (void)vcpu;
    crew.prepare(4, 0, 30);
    check("throttled.notification", Status::ok, create_notification(nothing_donated, notification, crew.vcpu(4)));
    Handle const endpoint = make_endpoint(crew, 4, 18);
    crew.run(4, 0, 30, work_on_signals);
    check("throttled.budget", Status::ok, vcpu_schedule(crew.vcpu(4), 30, 1'000, 50'000));
    sleep_us(1'000);
    signal(notification, 1);
    sleep_us(3'000); // 1 ms of work is done, then the budget is used up
    check("throttled.not_done", 0, facts().count[5]);
    crew.run(first, 0, 20, call_once, once(18, 1, Script::plain));
    check("throttled.helped", Status::ok, note_status(101));
    check("throttled.done", 1, facts().count[5]);
    signal(notification, 1);
    check("throttled.again", wait_for([] { return facts().count[5] == 2; }, 400'000));
    destroy(endpoint), destroy(notification);
}

/// A caller whose budget ends in the middle: the server finishes by itself.
void check_throttled_caller() {
    clear_facts();
    crew.run(server, 0, 30, serve_script);
    sleep_us(500);
    crew.run(first, 0, 20, call_once, once(slot, 1, Script::spin, 6'000));
    vcpu_schedule(crew.vcpu(first), 20, 2'000, 100'000);
    uint64_t const begin = now_us();
    check("throttled_caller.finished", wait_note(50));
    check_range("throttled_caller.time", 4'000, 20'000, now_us() - begin);
    check("throttled_caller.waits", place_of(101) == ~0ull);
    check("throttled_caller.answered", Status::ok, note_status(101));
    vcpu_schedule(crew.vcpu(first), 20, 0, 0);
}

/// Keeps marks in the registers of a message for a while; the bits that were others in the end.
uint64_t lost_marks() {
    uint64_t lost;
    asm volatile(".irp n, 0,1,2,3,4,5,6,7,8\n mov x\\n, #0x5a5a\n .endr\n"
                 "mov x9, #0x5a5a\n mov x10, #1000\n"
                 "1: subs x10, x10, #1\n b.ne 1b\n"
                 ".irp n, 0,1,2,3,4,5,6,7,8\n eor x\\n, x\\n, x9\n orr x10, x10, x\\n\n .endr\n"
                 "mov %0, x10\n"
                 : "=r"(lost)
                 :
                 : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "cc");
    return lost;
}

/// Works with a deadline in hand that a signal forestalled.
void work_in_registers(uint64_t) {
    receive(now() + ticks(1'000'000'000));
    while (lost_marks() == 0) { ++facts().count[8]; }
    set_flag(9);
}

void check_move_working() {
    Handle const notification = take_slot();
    check("move.notification", Status::ok, create_notification(nothing_donated, notification, crew.vcpu(6)));
    crew.run(6, 0, 20, work_in_registers);
    sleep_us(1'000);
    signal(notification, 1);
    check("move.works", progress(8, 5'000) > 0);
    for (unsigned i = 0; i < 10; ++i) {
        vcpu_control(crew.vcpu(6), abi::VcpuOperation::pause);
        check("move.working", Status::ok, vcpu_control(crew.vcpu(6), abi::VcpuOperation::move, 1 - i % 2));
        vcpu_control(crew.vcpu(6), abi::VcpuOperation::resume);
        sleep_us(1'000);
    }
    check("move.still_works", progress(8, 5'000) > 0);
    check("move.registers", 0, flag(9));
    destroy(notification);
}

/// Moving between cores keeps a place and its registers.
void check_move() {
    clear_facts();
    crew.prepare(6, 0, 20);
    crew.run(6, 0, 20, count_up, 6);
    progress(6, 5'000);
    check("move.running", Status::bad_state, vcpu_control(crew.vcpu(6), abi::VcpuOperation::move, 1));
    check("move.pause", Status::ok, vcpu_control(crew.vcpu(6), abi::VcpuOperation::pause));
    uint64_t const before = facts().count[6];
    check("move.move", Status::ok, vcpu_control(crew.vcpu(6), abi::VcpuOperation::move, 1));
    sleep_us(5'000);
    check("move.rests", before, facts().count[6]);
    check("move.resume", Status::ok, vcpu_control(crew.vcpu(6), abi::VcpuOperation::resume));
    check("move.goes_on", progress(6, 10'000) > 0);
    crew.run(first, 0, 20, count_up, 1);
    check("move.at_the_same_time", progress(1, 5'000) > 0 && progress(6, 5'000) > 0);
    stop(first), stop(6);
    // one that waits until some time, moved there and back
    crew.run(6, 1, 20, [](uint64_t) {
        receive(now() + ticks(1'000'000'000));
        set_flag(7);
    });
    sleep_us(1'000);
    check("move.pause_waiting", Status::ok, vcpu_control(crew.vcpu(6), abi::VcpuOperation::pause));
    check("move.waiting", Status::ok, vcpu_control(crew.vcpu(6), abi::VcpuOperation::move, 0));
    check("move.resume_waiting", Status::ok, vcpu_control(crew.vcpu(6), abi::VcpuOperation::resume));
    check("move.told", wait_flag(7));
    check_move_working();
}

} // namespace

void check_time() {
    check_priorities();
    check_equals();
    check_budget();
    check_throttled_server();
    check_throttled_caller();
    check_move();
}

} // namespace test
