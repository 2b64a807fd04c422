// SPDX-License-Identifier: MIT
// A caller that calls again and again by one handle, while what that leads to changes: no call goes by what was there before.
#include "test/guests/ipc/parts.hpp"

namespace test {
namespace {

using abi::VcpuOperation;
constexpr unsigned client = 1, first = 2, second = 3, far = 7;
constexpr Handle slot = 15;
constexpr unsigned asked = 11, answered = 12; // flags

/// Calls once for each number in `asked`.
void call_when_asked(uint64_t) {
    for (uint64_t n = 1;; ++n) {
        while (flag(asked) < n) { sleep_us(100); }
        auto const answer = call(slot, Script::plain);
        facts().count[0] = static_cast<uint64_t>(answer.status), facts().count[1] = answer.words[0],
        facts().count[2] = answer.words[1];
        set_flag(answered, n);
    }
}

/// Says who it is, and what badge it sees.
void answer_as(uint64_t number) {
    LongAnswer answer;
    for (;;) {
        auto const m = receive(abi::no_deadline, answer);
        answer = LongAnswer::make(Status::ok, number, m.badge);
    }
}

/// Twice: the second one may go by what the first one found.
void expect(std::string_view name, Status status, uint64_t server = 0, uint64_t badge = 0) {
    for (unsigned i = 0; i < 2; ++i) {
        uint64_t const n = flag(asked) + 1;
        set_flag(asked, n);
        bool const came = wait_for([=] { return flag(answered) == n; });
        check(name, status, came ? static_cast<Status>(facts().count[0]) : Status::timeout);
        if (status == Status::ok) { check(name, server, facts().count[1]), check(name, badge, facts().count[2]); }
    }
}

Handle make_bound(unsigned server) {
    Handle const made = take_slot();
    check("changes.endpoint", Status::ok, create_endpoint(nothing_donated, made, 0));
    check("changes.bind", Status::ok, bind(made, crew.vcpu(server)));
    return made;
}

void check_handle(Handle one, Handle two) {
    crew.give(slot, one, right::call, 5);
    expect("changes.first", Status::ok, first, 5);
    crew.give(slot, one, right::call, 6);
    expect("changes.badge", Status::ok, first, 6);
    crew.give(slot, two, right::call, 7);
    expect("changes.endpoint", Status::ok, second, 7);
    drop_from(crew.partition(), slot);
    expect("changes.dropped", Status::bad_handle);
    crew.give(slot, two, right::serve);
    expect("changes.no_right", Status::no_right);
    crew.give(slot, own().notification, right::signal);
    expect("changes.type", Status::bad_type);
    crew.give(slot, one, right::call, 1ull << 40 | 8);
    expect("changes.again", Status::ok, first, 1ull << 40 | 8);
}

void check_server() {
    vcpu_control(crew.vcpu(first), VcpuOperation::stop);
    expect("changes.stopped", Status::server_fault);
    crew.run(first, 0, 30, answer_as, first);
    expect("changes.started", Status::ok, first, 1ull << 40 | 8);
}

void move_client(uint64_t core) {
    check("changes.pause", Status::ok, vcpu_control(crew.vcpu(client), VcpuOperation::pause));
    check("changes.move", Status::ok, vcpu_control(crew.vcpu(client), VcpuOperation::move, core));
    check("changes.resume", Status::ok, vcpu_control(crew.vcpu(client), VcpuOperation::resume));
}

void check_core(Handle one) {
    move_client(1);
    expect("changes.no_server_there", Status::no_server);
    check("changes.bind_there", Status::ok, bind(one, crew.vcpu(far)));
    expect("changes.there", Status::ok, far, 1ull << 40 | 8);
    move_client(0);
    expect("changes.back", Status::ok, first, 1ull << 40 | 8);
}

} // namespace

void check_changes() {
    clear_facts();
    for (unsigned server : {first, second, far}) { crew.run(server, server == far, 30, answer_as, server); }
    Handle const one = make_bound(first), two = make_bound(second);
    sleep_us(500);
    crew.run(client, 0, 20, call_when_asked);
    check_handle(one, two);
    check_server();
    check_core(one);
    check("changes.remove", Status::ok, crew.remove(first));
    expect("changes.removed", Status::no_server);
    check("changes.bind_again", Status::ok, bind(one, crew.vcpu(second)));
    expect("changes.bound", Status::ok, second, 1ull << 40 | 8);
    destroy(one);
    expect("changes.destroyed", Status::bad_handle);
    Handle const other = make_bound(second); // in the place of the one before, perhaps
    expect("changes.replaced", Status::bad_handle);
    destroy(two), destroy(other);
    crew.remove(far);
}

} // namespace test
