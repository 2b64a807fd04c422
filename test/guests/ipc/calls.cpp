// SPDX-License-Identifier: MIT
// What a call carries there and back; helping of a busy server; cycles, depth, no server.
#include "test/guests/ipc/parts.hpp"

namespace test {
namespace {

constexpr unsigned server = 0, client = 1, middle = 2, urgent = 3;
constexpr Handle slot_plain = 10, slot_badge = 11;

/// Two calls through one handle, one through the other; all that came back into the facts.
void three_calls(uint64_t) {
    auto* words = facts().count;
    for (Handle const slot : {slot_plain, slot_plain, slot_badge}) {
        auto const answer = call(slot, 0x1234, CallWords{{1, 2, 3, 4, 5, ~0ull}});
        *words++ = static_cast<uint64_t>(answer.status);
        *words++ = answer.label;
        for (uint64_t const word : answer.words) { *words++ = word; }
    }
    set_flag(1);
}

void check_words(Handle endpoint) {
    clear_facts();
    check("badge.mint", Status::ok, crew.give(slot_badge, endpoint, right::call, 0x1'0000'0001));
    check("words.run", Status::ok, crew.run(client, 0, 20, three_calls));
    check("words.answered", wait_flag(1));
    uint64_t const* got = facts().count;
    check("words.status", 0, got[0]);
    check("words.label", 0x1235, got[1]);
    for (unsigned i = 0; i < 5; ++i) { check(Name("words.reply%u", i), i + 11, got[2 + i]); }
    check("words.reply5", 9, got[7]);
    check("words.messages", 3, facts().messages);
    auto const* m = facts().message;
    for (unsigned i = 0; i < 5; ++i) { check(Name("words.word%u", i), i + 1, m[0].words[i]); }
    check("words.word5", ~0ull, m[0].words[5]);
    check("words.sent_label", 0x1234, m[0].tag.label());
    check("words.kind", 0, static_cast<uint64_t>(m[0].tag.kind()));
    check("words.vcpu", client, m[0].tag.vcpu());
    check("words.tag", 0x1234 | uint64_t{client} << 40, m[0].tag.bits); // and nothing else
    check("badge.none", 0, m[0].badge);
    check("badge.minted", 0x1'0000'0001, m[2].badge);
    check("sequence.second", m[0].sequence + 1, m[1].sequence);
    check("sequence.third", m[0].sequence + 2, m[2].sequence);
    Handle const minted = take_slot();
    check("badge.mint_own", Status::ok, delegate(own().self, minted, endpoint, right::call, 5));
    check("badge.again", Status::no_right, crew.give(12, minted, right::call, 6));
    drop(minted), give_slot(minted);
}

/// A server that looks at its registers when a message comes, after it has filled them with marks.
void look_at_registers(uint64_t) {
    uint64_t found = 0;
    for (;;) {
        register uint64_t x0 asm("x0") = abi::no_deadline;
        register uint64_t x1 asm("x1") = found;
        register uint64_t x2 asm("x2") = 0;
        asm volatile(".irp n, 9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,30\n movz x\\n, #0xbad\n .endr\n"
                     "hvc #2\n"
                     ".irp n, 10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30\n orr x9, x9, x\\n\n .endr\n"
                     "mov x2, x9\n"
                     : "+r"(x0), "+r"(x1), "+r"(x2)
                     :
                     : "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18",
                       "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "x30", "memory", "cc");
        uint64_t const seen = x2; // before a call takes the register
        facts().count[20] |= seen;
        ++facts().count[21];
    }
}

void check_registers() {
    clear_facts();
    check("registers.server", Status::ok, crew.run(server, 0, 30, look_at_registers));
    sleep_us(500);
    for (unsigned i = 0; i < 3; ++i) {
        crew.run(client, 0, 20, call_once, once(slot_plain, 1, Script::plain));
        sleep_us(500);
    }
    check("registers.messages", 3, facts().count[21]);
    check("registers.zero", 0, facts().count[20]);
    crew.run(server, 0, 30, serve_script);
    sleep_us(500);
}

void hog(uint64_t us) {
    put_note(60);
    spin_us(us);
    put_note(61);
}

/// A low one's request is in the middle when a middle one takes the core: an urgent one's call carries both requests through.
void check_inheritance() {
    clear_facts();
    crew.run(client, 0, 12, call_once, once(slot_plain, 1, Script::spin, 8'000));
    sleep_us(4'000);
    crew.run(middle, 0, 15, hog, 30'000);
    sleep_us(4'000);
    crew.run(urgent, 0, 35, call_once, once(slot_plain, 2, Script::spin, 1'000));
    check("inheritance.done", wait_note(61) && wait_note(101));
    check("inheritance.middle_ran_first", place_of(60) < place_of(2));
    check("inheritance.low_served_for_urgent", place_of(50) < place_of(102));
    check("inheritance.urgent_before_middle_ends", place_of(102) < place_of(61));
    check("inheritance.low_returns_last", place_of(61) < place_of(101));
    check("inheritance.low_status", Status::ok, note_status(101));
    check("inheritance.urgent_status", Status::ok, note_status(102));
}

void check_cycles() {
    clear_facts();
    crew.prepare(4, 0, 30);
    Handle const second = make_endpoint(crew, 4, 13);
    crew.run(4, 0, 30, serve_script, 1);
    sleep_us(500);
    // 0 calls 4, which calls 0
    auto nested = [](uint64_t) {
        auto const self = call_script(10, Script::nest, 10); // the server calls its own endpoint
        put_note(70, self.words[0]);
        facts().flag[2] = 1;
    };
    crew.run(client, 0, 20, nested);
    check("cycle.self", Status::cycle, note_status(70));
    auto two = [](uint64_t) {
        auto const answer = call(13, Script::nest, CallWords{{14}}); // 4 calls 5, which calls 13 again
        put_note(71, answer.words[0]);
    };
    crew.prepare(5, 0, 30);
    Handle const third = make_endpoint(crew, 5, 14);
    auto back = [](uint64_t) {
        LongAnswer answer;
        for (;;) {
            receive(abi::no_deadline, answer);
            put_note(72, static_cast<uint64_t>(call(13, Script::plain).status));
            answer = LongAnswer::make(1, 0);
        }
    };
    crew.run(5, 0, 30, back);
    sleep_us(500);
    crew.run(client, 0, 20, two);
    check("cycle.outer", Status::ok, note_status(71));
    check("cycle.of_two", Status::cycle, note_status(72));
    destroy(second), destroy(third);
}

/// Server n calls slot 20 + n + 1.
void pass_on(uint64_t n) {
    LongAnswer answer;
    for (;;) {
        receive(abi::no_deadline, answer);
        Status const status = call(20 + n + 1, Script::plain).status;
        put_note(80 + n, static_cast<uint64_t>(status));
        answer = LongAnswer::make(1, 0);
    }
}

/// Servers 0..8 in a row, over two crews: eight calls are a chain, the ninth is refused.
void check_depth() {
    clear_facts();
    other_crew.make(2);
    Handle made[9];
    auto crew_of = [](unsigned n) -> Crew& { return n < 4 ? crew : other_crew; };
    auto index_of = [](unsigned n) { return n < 4 ? n + 2 : n - 4; };
    for (unsigned n = 0; n < 9; ++n) {
        crew_of(n).prepare(index_of(n), 0, 30);
        made[n] = take_slot();
        create_endpoint(nothing_donated, made[n], 0);
        bind(made[n], crew_of(n).vcpu(index_of(n)));
    }
    for (unsigned n = 0; n < 9; ++n) {
        crew.give(20 + n, made[n], right::call);
        other_crew.give(20 + n, made[n], right::call);
        crew_of(n).run(index_of(n), 0, 30, pass_on, n);
    }
    sleep_us(2'000);
    crew.run(client, 0, 20, call_once, once(20, 1, Script::plain));
    check("depth.first", Status::ok, note_status(101));
    for (unsigned n = 0; n < 7; ++n) { check(Name("depth.call%u", n + 2), Status::ok, note_status(80 + n)); }
    check("depth.ninth", Status::cycle, note_status(87));
    check("depth.nobody_at_the_end", place_of(88) == ~0ull);
    for (unsigned n = 0; n < 9; ++n) { destroy(made[n]), drop(made[n]), give_slot(made[n]); }
    check("depth.unmake", Status::ok, other_crew.unmake());
}

void check_no_server() {
    clear_facts();
    crew.prepare(7, 1, 20);
    crew.run(7, 1, 20, call_once, once(slot_plain, 1, Script::plain));
    check("no_server.other_core", Status::no_server, note_status(101));
    Handle const unbound = take_slot();
    create_endpoint(nothing_donated, unbound, 0);
    crew.give(15, unbound, right::call);
    crew.run(client, 0, 20, call_once, once(15, 2, Script::plain));
    check("no_server.unbound", Status::no_server, note_status(102));
    destroy(unbound);
    crew.run(client, 0, 20, call_once, once(15, 3, Script::plain));
    check("no_server.destroyed", Status::bad_handle, note_status(103));
}

} // namespace

void check_calls() {
    crew.prepare(server, 0, 30);
    Handle const endpoint = make_endpoint(crew, server, slot_plain);
    crew.run(server, 0, 30, serve_script);
    sleep_us(500);
    check_words(endpoint);
    check_registers();
    check_inheritance();
    check_cycles();
    check_depth();
    check_no_server();
}

} // namespace test
