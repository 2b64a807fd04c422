// SPDX-License-Identifier: MIT
// Signals: masks, merging, turns with calls, other cores; deadlines.
#include "test/guests/ipc/parts.hpp"

namespace test {
namespace {

using abi::Kind;
constexpr unsigned server = 0, client = 1, far = 7;
constexpr Handle slot = 10, slot_signal = 40;

/// Signals itself with every message: signals are always pending. Notes 30 for signals, 31 for a call.
void always_signalled(uint64_t) {
    LongAnswer answer;
    for (;;) {
        auto const m = receive(abi::no_deadline, answer);
        answer = LongAnswer::make(1, 0);
        put_note(m.tag.kind() == Kind::signals ? 30 : 31, m.words[0]);
        signal(slot_signal, 4);
    }
}

void many_calls(uint64_t n) {
    for (uint64_t i = 0; i < n; ++i) { call(slot, Script::plain); }
    set_flag(3);
}

void check_turns() {
    clear_facts();
    crew.run(server, 0, 10, always_signalled); // below the client: signals come on its own priority, or when it is helped
    signal(own().notification, 0);
    sleep_us(500);
    crew.run(client, 0, 20, many_calls, 20);
    check("turns.all_served", wait_flag(3));
    auto const* note = facts().note;
    uint64_t most = 0, in_a_row = 0, calls = 0, deliveries = 0;
    for (uint64_t i = 0; i < facts().notes && calls < 20; ++i) {
        bool const signals = note[i].what == 30;
        in_a_row = signals ? in_a_row + 1 : 0;
        signals ? ++deliveries : ++calls;
        if (calls > 0 && in_a_row > most) { most = in_a_row; }
    }
    check("turns.calls", 20, calls);
    check("turns.most_between", 1, most);
    check_range("turns.deliveries", 19, 21, deliveries);
    vcpu_control(crew.vcpu(server), abi::VcpuOperation::stop);
}

void collect(uint64_t base) {
    for (;;) {
        auto const m = receive(abi::no_deadline);
        facts().count[base] |= m.words[0];
        facts().count[base + 1] += 1;
        facts().count[base + 2] = static_cast<uint64_t>(m.tag.kind());
    }
}

void check_masks(Handle notification) {
    clear_facts();
    crew.run(server, 0, 30, collect, 0);
    sleep_us(500);
    Handle const masked = take_slot();
    check("mask.mint", Status::ok, delegate(own().self, masked, notification, right::signal, 0xf0));
    check("mask.inside", Status::ok, signal(masked, 0x30));
    check("mask.outside", Status::no_right, signal(masked, 0x100));
    check("mask.partly", Status::no_right, signal(masked, 0x110));
    sleep_us(1'000);
    check("mask.got", 0x30, facts().count[0]);
    check("mask.once", 1, facts().count[1]);
    check("mask.kind", static_cast<uint64_t>(Kind::signals), facts().count[2]);
    vcpu_control(crew.vcpu(server), abi::VcpuOperation::pause);
    for (unsigned bit = 0; bit < 64; bit += 9) { signal(notification, 1ull << bit); }
    sleep_us(500);
    check("merge.paused", 1, facts().count[1]);
    vcpu_control(crew.vcpu(server), abi::VcpuOperation::resume);
    sleep_us(500);
    check("merge.one_delivery", 2, facts().count[1]);
    check("merge.all", 0x8040'2010'0804'0201 | 0x30, facts().count[0]);
    drop(masked), give_slot(masked);
}

/// Whoever is signalled signals back, with the number of rounds so far.
void ping(uint64_t rounds) {
    signal(slot_signal + 1, 1);
    for (uint64_t i = 0; i < rounds; ++i) {
        receive(abi::no_deadline);
        ++facts().count[10];
        if (i + 1 < rounds) { signal(slot_signal + 1, 1); }
    }
    set_flag(4);
}
void pong(uint64_t) {
    for (;;) {
        receive(abi::no_deadline);
        ++facts().count[11];
        signal(slot_signal, 1);
    }
}

void check_cores() {
    clear_facts();
    crew.prepare(far, 1, 20);
    Handle const there = take_slot();
    check("cores.notification", Status::ok, create_notification(nothing_donated, there, crew.vcpu(far)));
    crew.give(slot_signal + 1, there, right::signal);
    crew.run(far, 1, 20, pong);
    sleep_us(1'000);
    crew.run(server, 0, 30, ping, 500);
    check("cores.done", wait_flag(4));
    check("cores.there", 500, facts().count[11]);
    check("cores.back", 500, facts().count[10]);
    vcpu_control(crew.vcpu(far), abi::VcpuOperation::stop);
    check("cores.destroy", Status::ok, destroy(there));
}

void take_deadline(uint64_t us) {
    uint64_t const at = now() + ticks(us);
    auto const m = receive(at);
    facts().count[0] = static_cast<uint64_t>(m.tag.kind());
    facts().count[1] = now() - at;
    facts().count[2] = m.badge | m.words[0] | m.words[5] | m.sequence;
    auto const past = receive(at);
    facts().count[3] = static_cast<uint64_t>(past.tag.kind());
    set_flag(5);
}

void check_deadline() {
    clear_facts();
    crew.run(client, 0, 30, take_deadline, 5'000);
    check("deadline.came", wait_flag(5));
    check("deadline.kind", static_cast<uint64_t>(Kind::deadline), facts().count[0]);
    check_range("deadline.late", 0, ticks(2'000), facts().count[1]);
    check("deadline.empty", 0, facts().count[2]);
    check("deadline.in_the_past", static_cast<uint64_t>(Kind::deadline), facts().count[3]);
}

/// The deadline passes while a request is in work: it is told afterwards, and the work is on the caller's priority.
void busy_at_deadline(uint64_t) {
    uint64_t const at = now() + ticks(4'000);
    LongAnswer answer;
    for (unsigned i = 0; i < 2; ++i) {
        auto const m = receive(at, answer);
        put_note(40 + static_cast<uint64_t>(m.tag.kind()));
        if (m.tag.kind() == Kind::call) { spin_us(8'000), put_note(49); }
        answer = LongAnswer::make(1, 0);
    }
}

void check_busy_deadline() {
    clear_facts();
    crew.run(server, 0, 35, busy_at_deadline);
    sleep_us(500);
    crew.run(client, 0, 20, call_once, once(slot, 1, Script::plain));
    sleep_us(1'000);
    crew.run(3, 0, 25, [](uint64_t) { spin_us(2'000), put_note(60), spin_us(6'000), put_note(61); });
    check("busy_deadline.told", wait_note(48));
    check("busy_deadline.after_the_request", place_of(49) < place_of(48));
    check("busy_deadline.on_the_callers_priority", place_of(61) < place_of(49));
}

} // namespace

void check_signals() {
    Handle const notification = take_slot();
    check("signals.notification", Status::ok, create_notification(nothing_donated, notification, crew.vcpu(server)));
    crew.give(slot_signal, notification, right::signal);
    check_masks(notification);
    check_cores();
    check_deadline();
    crew.run(server, 0, 30, serve_script);
    check_busy_deadline();
    crew.run(server, 0, 30, serve_script);
    sleep_us(500);
    check_turns();
}

} // namespace test
