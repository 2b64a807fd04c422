// SPDX-License-Identifier: MIT
// What the checks of IPC and scheduling share: a scripted server and a client, both of a crew.
#pragma once
#include "test/guests/native/crew.hpp"

namespace test {

/// Labels of the scripted server: what it does before it answers with label + 1 and words + 10.
enum Script : uint16_t {
    plain = 7,
    spin = 20,  ///< word 0: microseconds
    fault = 21, ///< an exception
    nest = 22,  ///< word 0: an endpoint in its table, called with `plain`; answer word 0: the status
    hang = 23,
};
/// Writes every message down; the argument is set in flag 31 once it waits.
void serve_script(uint64_t flag);
/// Calls slot_free + argument; see flags in calls.cpp.
inline CallAnswer call_script(Handle slot, Script script, uint64_t word = 0) {
    return call(slot, script, CallWords{{word, 2, 3, 4, 5, 6}});
}
/// A client's body: one call of script `argument >> 16 & 0xffff` with word `argument >> 32` to slot `argument & 0xff`, notes
/// `argument >> 8 & 0xff` before and after (+ 100, value: status).
void call_once(uint64_t argument);
constexpr uint64_t once(Handle slot, unsigned note, Script script, uint64_t word = 0) {
    return slot | note << 8 | static_cast<uint64_t>(script) << 16 | word << 32;
}
inline bool wait_note(uint64_t what, uint64_t us = 2'000'000) {
    return wait_for([=] { return place_of(what) != ~0ull; }, us);
}
inline Status note_status(uint64_t what) {
    wait_note(what);
    uint64_t const place = place_of(what);
    return place == ~0ull ? Status::timeout : static_cast<Status>(facts().note[place].value);
}

/// The crews of all checks; vCPUs are made as they are used.
extern Crew crew, other_crew;
/// A new endpoint, served by vCPU `server` of the crew, callable by slot `slot` of it.
Handle make_endpoint(Crew& servers, unsigned server, Handle slot, uint64_t max_us = 0);

void check_calls();
void check_changes();
void check_lost();
void check_signals();
void check_time();

} // namespace test
