// SPDX-License-Identifier: MIT
// Time that is bounded: the budgets of accounts, and the watchdog of requests.
#include "machine.hpp"

namespace bulkhead::test {

TEST_CASE("a budget is a bound in every period, and the rest of the time is the others'", "[sched][budget]") {
    Spinners m;
    Vcpu &greedy = m.spinner("greedy", 20), &other = m.spinner("other");
    m.budget(greedy, 1'000, 10'000);
    REQUIRE(m.go() == &greedy);
    m.pass(100'000);
    CHECK(greedy.cpu_ticks <= 11'000);
    CHECK(greedy.cpu_ticks >= 10'000);
    CHECK(other.cpu_ticks >= 88'000);
}

TEST_CASE("a budget that ends with the slice is used up by then, and counted once", "[sched][budget]") {
    Spinners m;
    Vcpu &a = m.spinner("a"), &b = m.spinner("b");
    m.budget(a, slice, 4 * slice);
    hw::counter_step = GENERATE(0, 1); // time passes at EL2, too
    REQUIRE(m.go() == &a);
    m.pass(slice);
    REQUIRE(m.running() == &b);
    CHECK(a.throttled);
    CHECK(a.cpu_ticks >= slice);
    CHECK(a.cpu_ticks < slice + 10);
    CHECK(a.budget_left == 0);
    m.pass(2 * slice);
    CHECK(m.running() == &b);
    CHECK(a.cpu_ticks < slice + 10);
    m.pass(4 * slice);
    CHECK(a.cpu_ticks >= 2 * slice - 10);
    end_account(m.core());
    CHECK(m.core().busy_ticks == a.cpu_ticks + b.cpu_ticks);
}

TEST_CASE("who is alone in its priority is charged at the end of each slice", "[sched][budget]") {
    Spinners m;
    Vcpu &a = m.spinner("a", 20), &other = m.spinner("other");
    m.budget(a, 2 * slice + 300, 10 * slice);
    REQUIRE(m.go() == &a);
    for (unsigned n = 1; n <= 2; ++n) {
        m.pass(slice);
        CHECK(m.running() == &a);
        CHECK(a.cpu_ticks == n * slice);
    }
    m.pass(299);
    CHECK(m.running() == &a);
    m.pass(1);
    CHECK(m.running() == &other);
    CHECK(a.cpu_ticks == 2 * slice + 300);
}

TEST_CASE("a new budget bounds the slice that runs, too", "[sched][budget]") {
    Spinners m;
    Vcpu &a = m.spinner("a", 20), &other = m.spinner("other");
    const uint64_t self = m.grant(*a.partition, m.name_of(a));
    REQUIRE(m.go() == &a);
    m.pass(1'000);
    REQUIRE(m.hvc(Hypercall::vcpu_schedule, {self, 20, 400, 10'000}) == &a);
    m.pass(399);
    CHECK(m.running() == &a);
    m.pass(1);
    CHECK(m.running() == &other);
    CHECK(a.cpu_ticks == 1'400);
}

TEST_CASE("a budget that ends as somebody more urgent comes: the server that goes on by itself may be more urgent yet",
          "[sched][budget]") {
    Machine m;
    Vcpu& server = m.vcpu(m.native("server"), 0, 30);
    Vcpu& urgent = m.vcpu(m.native("urgent"), 0, 20);
    Vcpu& client = m.vcpu(m.native("client"));
    const uint64_t door = m.grant(*client.partition, m.endpoint({&server}));
    const uint64_t bell = m.grant(*server.partition, m.notification(urgent));
    m.budget(client, 1'000, 10'000);
    m.serve(server);
    m.serve(urgent);
    m.start(client);
    REQUIRE(m.go() == &client);
    REQUIRE(m.call(door) == &server);
    hw::counter += 1'000; // before the timer's interrupt is taken
    CHECK(m.hvc(Hypercall::signal, {bell, 1}) == &server);
    CHECK(client.throttled);
    CHECK(m.core().account == &server);
    REQUIRE(m.reply() == &urgent);
}

TEST_CASE("a new budget is not held up by the old one's period", "[sched][budget]") {
    Spinners m;
    Vcpu& a = m.spinner("a", 20);
    const uint64_t self = m.grant(*a.partition, m.name_of(a));
    m.budget(a, 400, 1'000'000);
    REQUIRE(m.go() == &a);
    hw::counter += 400; // before the timer's interrupt is taken
    CHECK(m.hvc(Hypercall::vcpu_schedule, {self, 20, 0, 0}) == &a);
    CHECK_FALSE(a.throttled);
    m.pass(10 * slice);
    CHECK(m.running() == &a);
}

TEST_CASE("a caller whose budget ends in its request: the server goes on by itself", "[sched][budget]") {
    Machine m;
    Vcpu& server = m.vcpu(m.native("server"), 0, 20);
    Vcpu& guest = m.vcpu(m.vm("guest"));
    m.device(*guest.partition, 0x0900'0000, m.endpoint({&server}), 1);
    m.budget(guest, 1'000, 10'000);
    m.serve(server);
    m.start(guest);
    REQUIRE(m.go() == &guest);
    REQUIRE(m.load(0x0900'0000, 5) == &server);
    m.pass(1'000);
    CHECK(guest.throttled);
    REQUIRE(m.running() == &server);
    CHECK(m.core().account == &server);
    m.pass(2'000);
    CHECK(guest.cpu_ticks == 1'000);
    SECTION("the answer waits for the next period") {
        CHECK(m.answer(Action::advance, {123}) == nullptr);
        m.pass(7'000);
        REQUIRE(m.running() == &guest);
        CHECK(m.x(5) == 123);
    }
    SECTION("and if it has to wait then, its wake-up is not lost, nor its period shortened") {
        const uint64_t from = hw::counter;
        m.answer(Action::wait, {0, hw::counter + 20'000});
        m.pass(8'000);
        CHECK(guest.state == VcpuState::waiting);
        CHECK_FALSE(guest.throttled);
        m.pass(11'999);
        CHECK(m.running() == nullptr);
        m.pass(1);
        CHECK(hw::counter == from + 20'000);
        CHECK(m.running() == &guest);
    }
    SECTION("a wait that ends sooner does not end the throttling") {
        m.answer(Action::wait, {0, hw::counter + 1'000});
        m.pass(6'999);
        CHECK(m.running() == nullptr);
        m.pass(1);
        CHECK(m.running() == &guest);
    }
}

TEST_CASE("a server with a budget gets its next period although it waits", "[sched][budget]") {
    Machine m;
    Vcpu& server = m.vcpu(m.native("server"), 0, 20);
    Vcpu& client = m.vcpu(m.native("client"));
    const uint64_t handle = m.grant(*client.partition, m.endpoint({&server}));
    Slot& bell = objects.at(m.notification(server).index());
    m.budget(server, 500, 10'000);
    m.serve(server);
    m.start(client);
    m.go();
    notify(m.core(), bell.notification, 1);
    REQUIRE(m.go() == &server);
    m.pass(500);
    REQUIRE(m.running() == &client);
    REQUIRE(m.call(handle) == &server); // helps it to finish with the signals
    REQUIRE(m.reply() == &server);
    REQUIRE(m.reply() == &client);
    notify(m.core(), bell.notification, 2);
    REQUIRE(m.go() == &client);
    m.pass(9'500);
    REQUIRE(m.running() == &server);
    CHECK(m.word(0) == 2);
}

namespace {

struct Watched : Machine {
    Vcpu& server = vcpu(native("server"), 0, 20);
    Vcpu& client = vcpu(native("client"));
    ObjectRef door = endpoint({&server}, 12'000);
    uint64_t handle = grant(*client.partition, door);
    Watched() {
        serve(server);
        start(client);
        go();
    }
};

} // namespace

TEST_CASE("a request that takes longer than its endpoint allows is the server's fault", "[sched][watchdog]") {
    Watched m;
    REQUIRE(m.call(m.handle) == &m.server);
    m.pass(10'000);
    CHECK(m.running() == &m.server);
    m.pass(12'000);
    CHECK(m.server.fault.reason == FaultReason::watchdog);
    REQUIRE(m.running() == &m.client);
    CHECK(m.status() == Status::server_fault);
}

TEST_CASE("preemption does not hide how long a request takes", "[sched][watchdog]") {
    Watched m;
    Vcpu& urgent = m.vcpu(m.native("urgent"), 0, 30);
    Slot& bell = objects.at(m.notification(urgent).index());
    m.serve(urgent);
    REQUIRE(m.go() == &m.client);
    REQUIRE(m.call(m.handle) == &m.server);
    for (unsigned n = 0; n < 14 && m.running() == &m.server; ++n) {
        m.pass(1'000);
        notify(m.core(), bell.notification, 1);
        REQUIRE(m.go() == &urgent);
        m.pass(1'000);
        m.reply();
    }
    m.pass(2 * slice); // it is looked at when the timer fires
    CHECK(m.server.fault.reason == FaultReason::watchdog);
}

TEST_CASE("a server that hangs is found although others help it", "[sched][watchdog]") {
    Watched m;
    Vcpu& urgent = m.vcpu(m.native("urgent"), 0, 30);
    const uint64_t handle = m.grant(*urgent.partition, m.door);
    REQUIRE(m.call(m.handle) == &m.server);
    m.start(urgent);
    REQUIRE(m.go() == &urgent);
    REQUIRE(m.call(handle) == &m.server); // still at the client's request
    m.pass(20'000);
    CHECK(m.server.fault.reason == FaultReason::watchdog);
    REQUIRE(m.running() == &urgent);
    CHECK(m.status() == Status::server_fault);
}

TEST_CASE("many requests that are each short enough are no fault", "[sched][watchdog]") {
    Watched m;
    for (unsigned n = 0; n < 50; ++n) {
        REQUIRE(m.call(m.handle) == &m.server);
        m.pass(4'000);
        REQUIRE(m.reply() == &m.client);
    }
    CHECK(m.server.state == VcpuState::waiting);
}

TEST_CASE("the watchdog looks at the end of each slice, whether others wait or not", "[sched][watchdog]") {
    Spinners m;
    Vcpu& lazy = m.spinner("lazy", 20);
    lazy.watch_ticks = 2 * slice + 1;
    if (GENERATE(false, true)) { m.spinner("equal", 20); }
    m.spinner("other");
    REQUIRE(m.go() == &lazy);
    for (unsigned n = 0; n < 9 && lazy.state == VcpuState::ready; ++n) { m.pass(slice); }
    CHECK(lazy.fault.reason == FaultReason::watchdog);
    CHECK(lazy.cpu_ticks == 3 * slice);
}

TEST_CASE("a native vCPU that is watched must come to reply_recv in time", "[sched][watchdog]") {
    Spinners m;
    Vcpu& lazy = m.spinner("lazy");
    lazy.watch_ticks = 20'000;
    m.go();
    m.pass(15'000);
    m.reply(0, {}, hw::counter + 10);
    m.pass(15'000);
    CHECK(m.running() == &lazy);
    m.pass(20'000);
    CHECK(m.running() == nullptr);
    CHECK(lazy.fault.reason == FaultReason::watchdog);
}

} // namespace bulkhead::test
