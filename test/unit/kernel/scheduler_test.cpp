// SPDX-License-Identifier: MIT
// Who runs: priorities, slices, deadlines.
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

} // namespace bulkhead::test
