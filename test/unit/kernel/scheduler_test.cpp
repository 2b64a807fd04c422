// SPDX-License-Identifier: MIT
// Who runs: priorities, slices, budgets, deadlines, the watchdog.
#include "irq/gic.hpp"
#include "machine.hpp"
#include <deque>
#include <random>

namespace bulkhead::test {

TEST_CASE("the ready queue is by priority, then in order of arrival", "[sched]") {
    ReadyQueue queue;
    auto vcpus = std::make_unique<Vcpu[]>(4);
    Vcpu &a = vcpus[0], &b = vcpus[1], &urgent = vcpus[2], &last = vcpus[3];
    a.priority = b.priority = 5, urgent.priority = 63;
    CHECK(queue.best() == nullptr);
    for (Vcpu* vcpu : {&last, &a, &b}) { queue.push_back(*vcpu); }
    CHECK(queue.best() == &a);
    queue.push_back(urgent);
    CHECK(queue.best() == &urgent);
    queue.remove(urgent);
    queue.remove(a);
    queue.push_back(a);
    CHECK(queue.best() == &b);
    queue.remove(b);
    queue.remove(a);
    CHECK(queue.best() == &last);
    queue.remove(last);
    CHECK(queue.best() == nullptr);
}

TEST_CASE("a priority's queue is a ring: whoever leaves, and wherever, the others keep their order", "[sched]") {
    std::mt19937 random(1);
    ReadyQueue queue;
    auto vcpus = std::make_unique<Vcpu[]>(6);
    std::deque<Vcpu*> expected;
    for (unsigned n = 0; n < 10'000; ++n) {
        Vcpu& vcpu = vcpus[random() % 6];
        vcpu.priority = 7;
        if (!vcpu.queued) {
            queue.push_back(vcpu);
            expected.push_back(&vcpu);
        } else if (random() % 2) {
            queue.remove(vcpu);
            std::erase(expected, &vcpu);
        } else {
            std::ranges::rotate(expected, expected.begin() + 1);
            CHECK(&queue.to_back(*queue.best()) == expected.front());
        }
        REQUIRE(queue.best() == (expected.empty() ? nullptr : expected.front()));
        const Vcpu* at = queue.best();
        for (Vcpu* one : expected) {
            REQUIRE(at == one);
            REQUIRE(at->ready_next->ready_previous == at);
            at = at->ready_next;
        }
        REQUIRE(at == queue.best());
    }
}

TEST_CASE("the timer queue gives the soonest, in whatever order they came", "[sched]") {
    TimerQueue queue;
    auto vcpus = std::make_unique<Vcpu[]>(5);
    const uint64_t at[] = {30, 10, 50, 20, 40};
    for (unsigned n = 0; n < 5; ++n) {
        vcpus[n].timer_at = no_deadline;
        queue.arm(vcpus[n], at[n]);
    }
    CHECK(queue.first()->timer_at == 10);
    queue.arm(vcpus[1], 60);
    CHECK(queue.first()->timer_at == 20);
    queue.cancel(vcpus[3]);
    CHECK_FALSE(vcpus[3].timer_armed());
    CHECK(queue.first()->timer_at == 30);
    for (unsigned n : {2u, 0u, 4u}) { queue.cancel(vcpus[n]); }
    CHECK(queue.first() == &vcpus[1]);
    queue.cancel(vcpus[1]);
    queue.cancel(vcpus[1]);
    CHECK(queue.first() == nullptr);
}

namespace {

/// Programs that only compute.
struct Spinners : Machine {
    explicit Spinners(unsigned cores = 1) : Machine(cores) {}
    Vcpu& spinner(const char* name, unsigned priority = 10, unsigned core = 0) {
        Vcpu& made = vcpu(native(name), core, priority);
        start(made);
        return made;
    }
};

} // namespace

TEST_CASE("equals take turns of a slice each", "[sched]") {
    Spinners m;
    Vcpu &a = m.spinner("a"), &b = m.spinner("b"), &c = m.spinner("c");
    m.spinner("less urgent", 9);
    REQUIRE(m.go() == &a);
    for (Vcpu* next : {&b, &c, &a, &b}) {
        m.pass(slice - 1);
        CHECK(m.running() != next);
        m.pass(1);
        CHECK(m.running() == next);
    }
    m.pass(60 * slice);
    CHECK(a.cpu_ticks >= 20 * slice);
    CHECK(b.cpu_ticks >= 20 * slice);
    CHECK(c.cpu_ticks >= 20 * slice);
}

TEST_CASE("who is preempted goes on with its slice: its peers do not starve", "[sched]") {
    Spinners m;
    Vcpu &a = m.spinner("a"), &b = m.spinner("b");
    Vcpu& urgent = m.vcpu(m.native("urgent"), 0, 20);
    m.serve(urgent, hw::counter + 1'000);
    for (unsigned n = 0; n < 200; ++n) {
        m.pass(1'000);
        if (m.running() == &urgent) { m.reply(0, {}, hw::counter + 1'000); }
    }
    CHECK(a.cpu_ticks > 80'000);
    CHECK(b.cpu_ticks > 80'000);
}

TEST_CASE("equals stay equal, however often and long somebody more urgent runs", "[sched]") {
    const uint64_t period = GENERATE(1'000, 1'999, 2'000, 2'500, 4'999, 5'000, 5'001, 7'300), work = GENERATE(1, 17, 500);
    Spinners m;
    Vcpu &a = m.spinner("a"), &b = m.spinner("b");
    Vcpu& urgent = m.vcpu(m.native("urgent"), 0, 20);
    uint64_t next = hw::counter + period;
    m.serve(urgent, next);
    hw::counter_step = GENERATE(0, 1, 2); // time passes at EL2, too
    for (unsigned n = 0; n < 60; ++n) {
        INFO("period " << period << ", work " << work << ", turn " << n);
        while (m.running() != &urgent) { m.pass(next > hw::counter ? next - hw::counter : 1); }
        REQUIRE(m.running() == &urgent);
        m.pass(work);
        m.reply(0, {}, next += period);
        const uint64_t more = std::max(a.cpu_ticks, b.cpu_ticks), less = std::min(a.cpu_ticks, b.cpu_ticks);
        CHECK(more - less <= slice + 60);
    }
}

TEST_CASE("who is preempted at the very end of its slice had it", "[sched]") {
    Spinners m;
    Vcpu &a = m.spinner("a"), &b = m.spinner("b");
    Vcpu& urgent = m.vcpu(m.native("urgent"), 0, 20);
    const ObjectRef bell = m.notification(urgent);
    const uint64_t handles[] = {m.grant(*a.partition, bell), m.grant(*b.partition, bell)};
    m.serve(urgent);
    REQUIRE(m.go() == &a);
    for (unsigned n = 0; n < 10; ++n) {
        Vcpu* const before = m.running();
        hw::counter += slice;
        REQUIRE(m.hvc(Hypercall::signal, {handles[before == &b], 1}) == &urgent); // before the timer's interrupt is taken
        REQUIRE(m.reply() == before);
        m.pass(1);
        CHECK(m.running() == (before == &a ? &b : &a));
    }
}

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

TEST_CASE("at the end of a slice nobody is charged for the next one's", "[sched]") {
    const auto kind = GENERATE(abi::PartitionKind::native, abi::PartitionKind::vm);
    const bool bounded = GENERATE(false, true);
    Machine m;
    Vcpu &a = m.vcpu(m.partition(kind, "a")), &b = m.vcpu(m.partition(kind, "b"));
    for (Vcpu* vcpu : {&a, &b}) { m.start(*vcpu); }
    if (bounded) { m.budget(b, 3 * slice, 1'000 * slice); }
    REQUIRE(m.go() == &a);
    for (unsigned n = 1; n <= 3; ++n) {
        m.pass(slice);
        REQUIRE(m.running() == &b);
        CHECK(a.cpu_ticks == n * slice);
        CHECK(b.cpu_ticks == (n - 1) * slice);
        m.pass(slice);
        REQUIRE(m.running() == &a);
        CHECK(b.cpu_ticks == n * slice);
    }
    CHECK(b.throttled == bounded);
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

TEST_CASE("scheduling parameters change while nobody pauses or resumes", "[sched]") {
    Spinners m;
    Vcpu &a = m.spinner("a", 20), &b = m.spinner("b");
    const uint64_t other = m.grant(*a.partition, m.name_of(b));
    REQUIRE(m.go() == &a);
    mutation = true; // another core is at it
    m.hvc(Hypercall::vcpu_schedule, {other, 30, 0, 0});
    CHECK(b.priority == 10);
    mutation = false;
    CHECK(m.hvc(Hypercall::vcpu_schedule, {other, 30, 0, 0}) == &b);
    CHECK(b.priority == 30);
}

TEST_CASE("a server that waits on its caller's time does not change whose turn it is among its own", "[sched]") {
    Machine m;
    Vcpu& server = m.vcpu(m.native("server"));
    Vcpu &next = m.vcpu(m.native("next")), &last = m.vcpu(m.native("last"));
    Vcpu& client = m.vcpu(m.native("client"), 0, 20);
    const uint64_t door = m.grant(*client.partition, m.endpoint({&server}));
    m.budget(client, 100, 1'000);
    m.serve(server);
    m.start(next), m.start(client);
    REQUIRE(m.go() == &client);
    REQUIRE(m.call(door) == &server);
    m.pass(100); // the budget is used up: the server goes on by itself, behind who waits already
    REQUIRE(client.throttled);
    REQUIRE(m.running() == &next);
    m.start(last);
    m.pass(900);
    REQUIRE(m.running() == &server); // for the client again
    REQUIRE(m.core().account == &client);
    CHECK(m.wfi() == &server);
    m.pass(100);
    CHECK(m.running() == &next);
}

TEST_CASE("an inter-processor interrupt serves one vCPU and, while there are more, brings the next", "[sched][cross]") {
    Machine m(2);
    Partition& program = m.native("program");
    Vcpu* const vcpus[] = {&m.vcpu(program, 1), &m.vcpu(program, 1), &m.vcpu(program, 1)};
    const auto served = [&] { return std::count_if(vcpus, vcpus + 3, [](Vcpu* v) { return v->requests.load() == 0; }); };
    for (Vcpu* vcpu : vcpus) { ask(*cores[0], *vcpu, request::stop); }
    CHECK(served() == 0);
    m.on(1);
    for (unsigned n = 1; n <= 3; ++n) {
        CHECK(hw::interrupt_waits());
        take_interrupt(m.core());
        CHECK(served() == n);
    }
    CHECK_FALSE(hw::interrupt_waits());
    SECTION("one that came in between comes last") {
        m.on(0);
        ask(*cores[0], *vcpus[0], request::stop), ask(*cores[0], *vcpus[1], request::stop);
        m.on(1);
        take_interrupt(m.core());
        m.on(0);
        ask(*cores[0], *vcpus[2], request::stop);
        m.on(1);
        while (hw::interrupt_waits()) { take_interrupt(m.core()); }
        CHECK(served() == 3);
    }
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

TEST_CASE("the counter accounts for every tick", "[sched]") {
    Spinners m;
    Vcpu &a = m.spinner("a"), &b = m.spinner("b", 20);
    const uint64_t from = hw::counter;
    m.budget(b, 700, 2'000);
    m.go();
    m.pass(50'000);
    end_account(m.core());
    CHECK(a.cpu_ticks + b.cpu_ticks == hw::counter - from);
    CHECK(m.core().busy_ticks == hw::counter - from);
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
