// SPDX-License-Identifier: MIT
// Signals: masks, merging, turns with calls, other cores; deadlines.
#include "test/guests/ipc/parts.hpp"

namespace test {
namespace {

using abi::Kind;
constexpr unsigned server = 0, client = 1, third = 3, far = 7;
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

void check_masks() {
    clear_facts();
    crew.prepare(third, 0, 30);
    Handle const notification = crew.notification(third);
    crew.run(third, 0, 30, collect, 0);
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
    vcpu_control(crew.vcpu(third), abi::VcpuOperation::pause);
    for (unsigned bit = 0; bit < 64; bit += 9) { signal(notification, 1ull << bit); }
    sleep_us(500);
    check("merge.paused", 1, facts().count[1]);
    vcpu_control(crew.vcpu(third), abi::VcpuOperation::resume);
    sleep_us(500);
    check("merge.one_delivery", 2, facts().count[1]);
    check("merge.all", 0x8040'2010'0804'0201 | 0x30, facts().count[0]);
    drop(masked), give_slot(masked);
    check("mask.destroy", Status::ok, destroy(notification));
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

/// The same by signal_recv. Sums what comes: a signal that is lost, or comes twice, shows.
void ping_by_one(uint64_t rounds) {
    for (uint64_t i = 0; i < rounds; ++i) {
        facts().count[10] += signal_and_receive(slot_signal + 1, 1, abi::no_deadline).words[0];
    }
    set_flag(4);
}
void ping_until(uint64_t n) {
    while (flag(static_cast<unsigned>(n)) == 0) { ping_by_one(1); }
    set_flag(8);
}
void pong_by_one(uint64_t) {
    facts().count[11] += receive(abi::no_deadline).words[0];
    for (;;) { facts().count[11] += signal_and_receive(slot_signal, 1, abi::no_deadline).words[0]; }
}

void check_rounds(std::string_view name, unsigned core, Body ping_body, Body pong_body) {
    auto one = [&](std::string_view what, auto expected, auto got) {
        Text<64> text;
        check(text.put(name).put('.').put(what), expected, got);
    };
    clear_facts();
    crew.prepare(far, core, 30);
    Handle const there = take_slot();
    one("notification", Status::ok, create_notification(nothing_donated, there, crew.vcpu(far)));
    crew.give(slot_signal + 1, there, right::signal);
    crew.run(far, core, 30, pong_body);
    sleep_us(1'000);
    crew.run(server, 0, 30, ping_body, 500);
    one("done", uint64_t{1}, uint64_t{wait_flag(4)});
    one("there", uint64_t{500}, facts().count[11]);
    one("back", uint64_t{500}, facts().count[10]);
    vcpu_control(crew.vcpu(far), abi::VcpuOperation::stop);
    one("destroy", Status::ok, destroy(there));
}

/// Both with others of their priority that are ready, and without: all get their turns.
void check_crowd() {
    auto spin = [](uint64_t n) {
        for (unsigned i = 0; i < 4; ++i) { spin_us(3'000), put_note(n); }
        set_flag(static_cast<unsigned>(n));
    };
    clear_facts();
    crew.prepare(far, 0, 30);
    Handle const there = take_slot();
    create_notification(nothing_donated, there, crew.vcpu(far));
    crew.give(slot_signal + 1, there, right::signal);
    crew.run(far, 0, 30, pong_by_one);
    sleep_us(1'000);
    crew.run(server, 0, 30, ping_until, 7);
    sleep_us(500);
    crew.run(3, 0, 30, spin, 5);
    crew.run(5, 0, 30, spin, 6);
    check("crowd.both", wait_flag(5) && wait_flag(6));
    uint64_t const rounds = facts().count[10];
    sleep_us(5'000);
    check("crowd.rounds_go_on", facts().count[10] > rounds + 10);
    set_flag(7);
    check("crowd.ends", wait_flag(8));
    check("crowd.in_step", facts().count[10], facts().count[11]);
    vcpu_control(crew.vcpu(far), abi::VcpuOperation::stop);
    check("crowd.destroy", Status::ok, destroy(there));
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
    Handle const notification = crew.notification(server);
    crew.give(slot_signal, notification, right::signal);
    check_masks();
    check_rounds("cores", 1, ping, pong);
    check_rounds("cores_by_one", 1, ping_by_one, pong_by_one);
    check_rounds("core_by_one", 0, ping_by_one, pong_by_one);
    check_crowd();
    check_deadline();
    crew.run(server, 0, 30, serve_script);
    check_busy_deadline();
    crew.run(server, 0, 30, serve_script);
    sleep_us(500);
    check_turns();
}

} // namespace test
