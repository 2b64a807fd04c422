// SPDX-License-Identifier: MIT
// Partitions, vCPUs, endpoints, notifications: made and destroyed many times, in the middle of what they do.
#include "test/guests/objects/parts.hpp"

namespace test {
namespace {

constexpr unsigned lives = 300;

/// What one life leaves behind: nothing. Counts what was not as it should be.
uint64_t live_once(Handle home, Handle body, Handle const (&slot)[4], unsigned core, uint64_t life) {
    uint64_t wrong = 0;
    auto expect = [&](Status wanted, Status got) { wrong += wanted != got; };
    expect(Status::ok, create_partition(home, slot[0], abi::PartitionKind::native, 16, own().notification, 5));
    expect(Status::ok, create_vcpu(body, slot[1], slot[0], 0, core, 20));
    expect(Status::ok, create_notification(nothing_donated, slot[2], slot[1]));
    expect(Status::ok, create_endpoint(nothing_donated, slot[3], 0));
    expect(Status::ok, bind(slot[3], slot[1]));
    expect(Status::ok, delegate(slot[0], 3, slot[3], right::call));
    expect(Status::ok, vcpu_start(slot[1], 0x1'0000, life)); // nothing is there: it faults
    wrong += !wait_for([&] { return vcpu_read(slot[1], abi::VcpuGroup::status).words[0] == 5; });
    expect(Status::ok, signal(slot[2], 1));
    expect(Status::ok, destroy(slot[0])); // with its vCPU
    expect(Status::bad_handle, destroy(slot[0]));
    expect(Status::bad_handle, vcpu_control(slot[1], abi::VcpuOperation::stop));
    expect(Status::bad_handle, create_vcpu(body, slot[1], slot[0], 0, core, 20));
    expect(Status::ok, signal(slot[2], 1)); // still there, for nobody
    expect(Status::ok, destroy(slot[2]));
    expect(Status::bad_handle, signal(slot[2], 1));
    expect(Status::no_server, call(slot[3], 0).status);
    expect(Status::ok, destroy(slot[3]));
    expect(Status::bad_handle, call(slot[3], 0).status);
    return wrong;
}

void check_many_lives() {
    Handle const home = take_pages(8 * page), body = take_pages(page);
    Handle const slot[4] = {take_slot(), take_slot(), take_slot(), take_slot()};
    uint64_t wrong = 0;
    for (unsigned life = 0; life < lives; ++life) { wrong += live_once(home, body, slot, life % 2, life); }
    check("lives.wrong", 0, wrong);
    uint64_t bytes = 0;
    auto const* at = map_window(home, 8 * page);
    for (uint64_t i = 0; i < 8 * page; ++i) { bytes += at[i] != 0; }
    unmap(home);
    at = map_window(body, page);
    for (uint64_t i = 0; i < page; ++i) { bytes += at[i] != 0; }
    check("lives.bytes_left", 0, bytes);
    unmap(body), destroy(home), destroy(body);
    for (Handle const each : slot) { give_slot(each); }
}

/// A supervisor hears of a fault by the bit that it said.
void check_supervisor() {
    Handle const home = take_pages(8 * page), body = take_pages(page), partition = take_slot(), vcpu = take_slot();
    receive(now() + ticks(100));
    check("supervisor.create", Status::ok,
          create_partition(home, partition, abi::PartitionKind::native, 16, own().notification, 9));
    check("supervisor.vcpu", Status::ok, create_vcpu(body, vcpu, partition, 0, 1, 20));
    Status const started = vcpu_start(vcpu, 0x7'7000, 0);
    auto const m = receive(now() + ticks(50'000));
    check("supervisor.start", Status::ok, started);
    check("supervisor.signal", 1u << 9, m.words[0]);
    auto const status = vcpu_read(vcpu, abi::VcpuGroup::status);
    check("supervisor.state", 5, status.words[0]);
    check("supervisor.reason", static_cast<uint64_t>(abi::FaultReason::stage2), status.words[1]);
    check("supervisor.ipa", 0x7'7000, status.words[3]);
    check("supervisor.pc", 0x7'7000, vcpu_read(vcpu, abi::VcpuGroup::pc).words[0]);
    destroy(partition), destroy(home), destroy(body);
    drop(partition), drop(vcpu), give_slot(partition), give_slot(vcpu);
}

void run_for_ever(uint64_t n) {
    for (;;) { __atomic_store_n(&facts().count[n], facts().count[n] + 1, __ATOMIC_RELAXED); }
}
void call_for_ever(uint64_t slot) {
    for (;;) { facts().count[9] += call(slot, 1).status == Status::ok; }
}
void answer_for_ever(uint64_t) {
    for (;;) { receive(abi::no_deadline, LongAnswer::make(2, 0)); }
}

/// Destroyed while it runs, calls and serves, on both cores; the rest goes on.
void check_in_the_middle() {
    clear_facts();
    crew.run(1, 0, 10, run_for_ever, 8);
    static Crew busy;
    for (unsigned round = 0; round < 5; ++round) {
        busy = Crew{};
        busy.make(2);
        busy.prepare(0, round % 2, 30);
        Handle const endpoint = take_slot();
        create_endpoint(nothing_donated, endpoint, 0);
        bind(endpoint, busy.vcpu(0));
        busy.give(10, endpoint, right::call);
        busy.run(0, round % 2, 30, answer_for_ever);
        busy.run(1, round % 2, 20, call_for_ever, 10);
        busy.run(2, 1 - round % 2, 20, run_for_ever, 7);
        uint64_t const before = facts().count[9];
        check("middle.calls", wait_for([=] { return facts().count[9] > before + 10; }));
        check("middle.unmake", Status::ok, busy.unmake());
        destroy(endpoint), drop(endpoint), give_slot(endpoint);
    }
    uint64_t const before = facts().count[8];
    sleep_us(20'000);
    check("middle.the_rest_goes_on", facts().count[8] > before);
    vcpu_control(crew.vcpu(1), abi::VcpuOperation::stop);
}

/// Serves one call, in which it destroys its caller.
void destroy_caller(uint64_t) {
    receive(abi::no_deadline);
    facts().count[1] = static_cast<uint64_t>(destroy(20));
    facts().count[2] = static_cast<uint64_t>(destroy(20));
    spin_us(1'000); // a clock tick on whose account?
    set_flag(1);
}

void check_destroyed_caller() {
    clear_facts();
    crew.prepare(2, 0, 30);
    Handle const endpoint = take_slot();
    create_endpoint(nothing_donated, endpoint, 0);
    check("caller.bind", Status::ok, bind(endpoint, crew.vcpu(2)));
    static Crew caller;
    caller.make(2);
    caller.prepare(0, 0, 20);
    caller.give(10, endpoint, right::call);
    crew.give(20, caller.vcpu(0), right::destroy);
    crew.run(2, 0, 30, destroy_caller);
    sleep_us(500);
    caller.start(0, call_for_ever, 10);
    check("caller.gone", wait_flag(1));
    check("caller.destroy", Status::ok, static_cast<Status>(facts().count[1]));
    check("caller.stale", Status::bad_handle, static_cast<Status>(facts().count[2]));
    check("caller.unmake", Status::ok, caller.unmake());
    destroy(endpoint);
}

} // namespace

void check_lives() {
    check_many_lives();
    check_supervisor();
    check_in_the_middle();
    check_destroyed_caller();
}

} // namespace test
