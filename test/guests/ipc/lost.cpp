// SPDX-License-Identifier: MIT
// Servers that fault, are stopped, paused, destroyed, or take too long; what their callers get.
#include "test/guests/ipc/parts.hpp"

namespace test {
namespace {

using abi::FaultReason;
using abi::VcpuOperation;
using abi::VcpuState;
constexpr unsigned server = 0, client = 1, second = 2;
constexpr Handle slot = 10;

void serve() {
    crew.run(server, 0, 30, serve_script);
    sleep_us(500);
    clear_facts();
}
void begin(unsigned note, Script script, uint64_t word = 0, unsigned vcpu = client) {
    crew.run(vcpu, 0, 20, call_once, once(slot, note, script, word));
    sleep_us(1'000);
}

void check_fault() {
    serve();
    receive(now() + ticks(100)); // signals that are left
    begin(1, Script::fault);
    check("fault.caller", Status::server_fault, note_status(101));
    check("fault.state", static_cast<uint64_t>(VcpuState::faulted), static_cast<uint64_t>(crew.state(server)));
    check("fault.reason", static_cast<uint64_t>(FaultReason::exception), static_cast<uint64_t>(crew.reason(server)));
    check("fault.esr", 0xf200'0001, vcpu_read(crew.vcpu(server), abi::VcpuGroup::status).words[4]);
    begin(2, Script::plain);
    check("fault.next_caller", Status::server_fault, note_status(102));
    check("fault.resume", Status::bad_state, vcpu_control(crew.vcpu(server), VcpuOperation::resume));
    check("fault.pause", Status::ok, vcpu_control(crew.vcpu(server), VcpuOperation::pause));
    check("fault.resume_paused", Status::ok, vcpu_control(crew.vcpu(server), VcpuOperation::resume));
    check("fault.still", static_cast<uint64_t>(VcpuState::faulted), static_cast<uint64_t>(crew.state(server)));
    serve();
    begin(3, Script::plain);
    check("fault.restarted", Status::ok, note_status(103));
}

void check_fault_signal() {
    serve();
    crew.run(client, 0, 20, call_once, once(slot, 1, Script::fault));
    auto const m = receive(now() + ticks(20'000));
    check("fault.signal_kind", static_cast<uint64_t>(abi::Kind::signals), static_cast<uint64_t>(m.tag.kind()));
    check("fault.signal", 1u << 1, m.words[0]);
}

void check_stop() {
    serve();
    begin(1, Script::hang);
    begin(2, Script::plain, 0, second); // waits for the busy one
    check("stop.waits", place_of(102) == ~0ull);
    check("stop", Status::ok, vcpu_control(crew.vcpu(server), VcpuOperation::stop));
    check("stop.caller", Status::server_fault, note_status(101));
    check("stop.waiting_caller", Status::server_fault, note_status(102));
    begin(3, Script::plain);
    check("stop.next_caller", Status::server_fault, note_status(103));
}

void check_pause() {
    serve();
    check("pause", Status::ok, vcpu_control(crew.vcpu(server), VcpuOperation::pause));
    check("pause.again", Status::ok, vcpu_control(crew.vcpu(server), VcpuOperation::pause));
    begin(1, Script::plain);
    check("pause.waits", place_of(101) == ~0ull);
    check("pause.caller_state", static_cast<uint64_t>(VcpuState::calling), static_cast<uint64_t>(crew.state(client)));
    check("resume", Status::ok, vcpu_control(crew.vcpu(server), VcpuOperation::resume));
    check("resume.caller", Status::ok, note_status(101));
    begin(2, Script::spin, 5'000);
    check("pause.middle", Status::ok, vcpu_control(crew.vcpu(server), VcpuOperation::pause));
    sleep_us(10'000);
    check("pause.middle_waits", place_of(102) == ~0ull);
    check("resume.middle", Status::ok, vcpu_control(crew.vcpu(server), VcpuOperation::resume));
    check("resume.middle_caller", Status::ok, note_status(102));
    vcpu_control(crew.vcpu(server), VcpuOperation::pause);
    begin(3, Script::plain);
    check("pause.stop", Status::ok, vcpu_control(crew.vcpu(server), VcpuOperation::stop));
    check("pause.stop_caller", Status::server_fault, note_status(103));
}

/// The caller is paused, stopped, destroyed in the middle: the server finishes, and serves the next one.
void check_lost_caller() {
    serve();
    begin(1, Script::spin, 4'000);
    check("caller.pause", Status::ok, vcpu_control(crew.vcpu(client), VcpuOperation::pause));
    check("caller.finished", wait_note(50));
    sleep_us(1'000);
    check("caller.paused", place_of(101) == ~0ull);
    check("caller.resume", Status::ok, vcpu_control(crew.vcpu(client), VcpuOperation::resume));
    check("caller.answered", Status::ok, note_status(101));
    serve();
    begin(2, Script::spin, 4'000);
    check("caller.stop", Status::ok, vcpu_control(crew.vcpu(client), VcpuOperation::stop));
    check("caller.server_finishes", wait_note(50));
    begin(3, Script::plain, 0, second);
    check("caller.next", Status::ok, note_status(103));
    check("caller.dropped", place_of(102) == ~0ull);
}

/// With no vCPU there, who waits for a paused server is told so.
void check_destroyed() {
    serve();
    Handle const memory = take_pages(4096), vcpu = take_slot();
    check("destroyed.create", Status::ok, create_vcpu(memory, vcpu, crew.partition(), 6, 0, 30));
    Handle const endpoint = take_slot();
    create_endpoint(nothing_donated, endpoint, 0);
    check("destroyed.bind", Status::ok, bind(endpoint, vcpu));
    crew.give(16, endpoint, right::call);
    crew.run(client, 0, 20, call_once, once(16, 1, Script::plain));
    check("destroyed.off", Status::server_fault, note_status(101));
    check("destroyed.destroy", Status::ok, destroy(vcpu));
    crew.run(client, 0, 20, call_once, once(16, 2, Script::plain));
    check("destroyed.no_server", Status::no_server, note_status(102));
    destroy(endpoint), destroy(memory);
}

void check_watchdog() {
    crew.prepare(3, 0, 30);
    Handle const limited = make_endpoint(crew, 3, 17, 12'000);
    crew.run(3, 0, 30, serve_script, 1);
    sleep_us(500);
    clear_facts();
    crew.run(client, 0, 20, call_once, once(17, 1, Script::spin, 5'000));
    check("max_us.within", Status::ok, note_status(101));
    uint64_t const begin_us = now_us();
    crew.run(client, 0, 20, call_once, once(17, 2, Script::hang));
    check("max_us.caller", Status::server_fault, note_status(102));
    check_range("max_us.time", 12'000, 60'000, now_us() - begin_us);
    check("max_us.reason", static_cast<uint64_t>(FaultReason::watchdog), static_cast<uint64_t>(crew.reason(3)));
    auto forever = [](uint64_t) {
        for (;;) { relax(); }
    };
    crew.run(second, 0, 20, forever);
    check("watch.set", Status::ok, vcpu_control(crew.vcpu(second), VcpuOperation::watch, 12'000));
    check("watch.fault", wait_for([] { return crew.state(second) == VcpuState::faulted; }));
    check("watch.reason", static_cast<uint64_t>(FaultReason::watchdog), static_cast<uint64_t>(crew.reason(second)));
    vcpu_control(crew.vcpu(second), VcpuOperation::watch, 0);
    destroy(limited);
}

} // namespace

void check_lost() {
    check_stop();
    check_pause();
    check_lost_caller();
    check_destroyed();
    if (crew.is_of_system()) { return; } // its faults are for the system's supervisor
    check_fault();
    check_fault_signal();
    check_watchdog();
}

} // namespace test
