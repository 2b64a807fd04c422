// SPDX-License-Identifier: MIT
// Owns the test partition `ipc`: calls, faults of servers, signals, deadlines, priorities and budgets.
#include "services/lib/environment.hpp"
#include "test/guests/ipc/parts.hpp"

namespace test {

constinit Crew crew, other_crew;

void serve_script(uint64_t flag) {
    LongAnswer answer;
    for (;;) {
        auto const m = receive(abi::no_deadline, answer);
        if (flag == 0) { facts().message[facts().messages++ % 64] = m; }
        uint16_t const label = m.tag.label();
        answer = LongAnswer::make(label + 1, m.words[0] + 10, m.words[1] + 10, m.words[2] + 10, m.words[3] + 10, m.words[4] + 10,
                                  m.words[5] + 10);
        if (label == Script::spin) { spin_us(m.words[0]), put_note(50, m.words[0]); }
        if (label == Script::fault) { asm volatile("brk #1"); }
        if (label == Script::nest) { answer.words[0] = static_cast<uint64_t>(call_script(m.words[0], Script::plain).status); }
        if (label == Script::hang) {
            for (;;) { relax(); }
        }
    }
}

void call_once(uint64_t argument) {
    uint64_t const note = argument >> 8 & 0xff;
    put_note(note);
    auto const answer = call_script(argument & 0xff, static_cast<Script>(argument >> 16 & 0xffff), argument >> 32);
    put_note(note + 100, static_cast<uint64_t>(answer.status));
}

Handle make_endpoint(Crew& servers, unsigned server, Handle slot, uint64_t max_us) {
    Handle const made = take_slot();
    check("setup.endpoint", Status::ok, create_endpoint(nothing_donated, made, max_us));
    check("setup.bind", Status::ok, bind(made, servers.vcpu(server)));
    check("setup.give", Status::ok, servers.give(slot, made, right::call));
    return made;
}

} // namespace test

int main() {
    if (!service::Environment::get().has("partition.self")) { // a crew's own
        for (;;) { test::receive(abi::no_deadline); }
    }
    test::crew.make(1);
    test::check_calls();
    test::check_changes();
    test::check_lost();
    test::check_signals();
    test::check_time();
    test::finish();
}
