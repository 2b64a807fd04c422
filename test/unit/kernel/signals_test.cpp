// SPDX-License-Identifier: MIT
// signal_recv: what it does is what signal and then reply_recv do, whichever way it takes.
#include "machine.hpp"
#include <vector>

namespace bulkhead::test {

namespace {

constexpr uint64_t bit = 0b100;

/// `sender` and `waiter`, each with a handle to the other's notification.
struct Pair : Machine {
    Vcpu &sender, &waiter;
    ObjectRef bell = notification(waiter), own_bell = notification(sender);
    uint64_t handle = grant(*sender.partition, bell), back = grant(*waiter.partition, own_bell);

    explicit Pair(unsigned cores = 1, unsigned where = 0, unsigned priority = 10)
        : Machine(cores), sender(vcpu(native("sender"))), waiter(vcpu(native("waiter"), where, priority)) {}
    /// Both have taken signals before, and the sender runs.
    void begin() {
        serve(waiter);
        serve(sender);
        wake(waiter, bell);
        reply();
        wake(sender, own_bell);
    }
    void wake(Vcpu& whom, ObjectRef by) {
        on(whom.core);
        notify(core(), objects.find(by)->notification, 1);
        REQUIRE(go() == &whom);
    }
};

/// One thing that a vCPU was told.
struct Told {
    std::string who;
    uint64_t kind, word, at;
    unsigned core;
    bool operator==(const Told&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Told& told) {
    return out << told.who << " kind " << told.kind << " word " << told.word << " at " << told.at << " on core " << told.core;
}

/// What is different in a case from two that signal each other.
struct Case {
    const char* name;
    unsigned priority = 10, core = 0;
    uint64_t set = bit, badge = 0, deadline = no_deadline;
    void (*prepare)(Pair&) = [](Pair&) {};
};

const Case cases[] = {
    {"the short way"},
    {"a more urgent waiter", 20},
    {"a less urgent waiter", 5},
    {"a waiter on another core", 10, 1},
    {"no signal at all", 10, 0, 0},
    {"a mask that allows it", 10, 0, bit, bit | 1},
    {"a mask that does not", 10, 0, bit, 1},
    {"a deadline", 10, 0, bit, 0, 3'000},
    {"somebody else of the same priority", 10, 0, bit, 0, no_deadline, [](Pair& m) { m.start(m.vcpu(m.native("other"))); }},
    {"a more urgent one that has become ready", 10, 0, bit, 0, no_deadline,
     [](Pair& m) { m.start(m.vcpu(m.native("urgent"), 0, 30)); }},
    {"signals that the waiter has not taken", 10, 0, bit, 0, no_deadline,
     [](Pair& m) { notify(m.core(), objects.find(m.bell)->notification, 0b1000); }},
    {"signals for the sender itself", 10, 0, bit, 0, no_deadline,
     [](Pair& m) { notify(m.core(), objects.find(m.own_bell)->notification, 0b1000); }},
    {"a waiter that is paused", 10, 0, bit, 0, no_deadline, [](Pair& m) { m.control(m.waiter, request::pause); }},
    {"a waiter that is off", 10, 0, bit, 0, no_deadline, [](Pair& m) { m.control(m.waiter, request::stop); }},
    {"a sender with a budget", 10, 0, bit, 0, no_deadline,
     [](Pair& m) {
         m.budget(m.sender, 700, 2'000);
         m.sender.budget_left = 700;
     }},
    {"a waiter with a budget", 10, 0, bit, 0, no_deadline,
     [](Pair& m) {
         m.budget(m.waiter, 700, 2'000);
         m.waiter.budget_left = 100;
     }},
    {"a sender on the time of a more urgent one, whose call comes next", 10, 0, bit, 0, no_deadline,
     [](Pair& m) {
         Vcpu& client = m.vcpu(m.native("client"), 0, 30);
         const uint64_t door = m.grant(*client.partition, m.endpoint({&m.sender})), bell = m.grant(*client.partition, m.own_bell);
         m.start(client);
         REQUIRE(m.go() == &client);
         m.hvc(Hypercall::signal, {bell, 1});
         REQUIRE(m.call(door) == &m.sender); // who has not waited since it took signals
         REQUIRE(m.reply() == &m.sender);    // it takes the call
         REQUIRE(m.reply() == &client);
         m.hvc(Hypercall::signal, {bell, 1});
         REQUIRE(m.call(door) == &m.sender); // with the signals first
         REQUIRE(m.tag().kind() == Kind::signals);
     }},
    {"nobody takes the signals", 10, 0, bit, 0, no_deadline,
     [](Pair& m) {
         objects.find(m.bell)->notification.target = nullptr;
         m.waiter.notification = nullptr;
     }},
    {"a sender without signals of its own", 10, 0, bit, 0, no_deadline, [](Pair& m) { m.sender.notification = nullptr; }},
};

/// What everybody is told until all wait, by the one hypercall or by two.
std::vector<Told> story(const Case& one, bool by_one) {
    Pair m(one.core + 1, one.core, one.priority);
    m.begin();
    one.prepare(m);
    m.on(0);
    m.sender.partition->table[m.handle].badge = one.badge;
    const uint64_t deadline = one.deadline == no_deadline ? no_deadline : hw::counter + one.deadline;
    const uint64_t begun = hw::counter;
    hw::counter += 70; // the sender works, too
    std::vector<Told> told;
    bool waits = by_one;
    REQUIRE(m.running() == &m.sender);
    const uint64_t allowed = one.badge == 0 || (one.set & ~one.badge) == 0;
    if (by_one) {
        m.signal_recv(m.handle, one.set, deadline);
        if (!allowed) {
            CHECK(m.tag().kind() == Kind::refused);
            waits = false; // nothing was done
        }
    } else {
        m.hvc(Hypercall::signal, {m.handle, one.set});
    }
    if (!allowed) {
        REQUIRE(m.running() == &m.sender);
        CHECK(m.status() == Status::no_right);
    }
    for (unsigned step = 0; step < 40; ++step) {
        for (unsigned n = 0; n <= one.core; ++n) {
            m.on(n);
            m.interrupts();
            Vcpu* now = m.running();
            if (!now) { continue; }
            if (now == &m.sender && !waits) {
                waits = true;
                m.reply(0, {}, deadline);
            } else if (now == &m.sender || now == &m.waiter) {
                told.push_back({now->partition->name, static_cast<uint64_t>(m.tag().kind()), m.word(0), hw::counter - begun, n});
                hw::counter += 50; // it works
                m.reply();
            } else {
                told.push_back({now->partition->name, 99, 0, hw::counter - begun, n});
                m.pass(1'000);
                if (m.running() == now) { m.reply(); }
            }
        }
        m.on(0);
        if (step == 3) {
            for (const Vcpu* vcpu : {&m.sender, &m.waiter}) { told.push_back({"budget", 100, vcpu->budget_left, 0, vcpu->core}); }
        }
        if (step % 8 == 7) { m.pass(1'000); }
    }
    return told;
}

} // namespace

TEST_CASE("signal_recv does what signal and reply_recv do", "[ipc][signals]") {
    const Case& one = GENERATE(from_range(std::begin(cases), std::end(cases)));
    INFO(one.name);
    const auto by_two = story(one, false), by_one = story(one, true);
    CHECK(by_one == by_two);
    if (std::string_view(one.name) == "the short way") {
        CHECK(by_one == std::vector<Told>{{"waiter", 7, bit, 70, 0}, {"budget", 100, 0, 0, 0}, {"budget", 100, 0, 0, 0}});
    }
}

TEST_CASE("who is signalled, waits, and has the sender's priority runs in the same turn, with nothing of the sender's",
          "[ipc][signals]") {
    constexpr uint64_t secret = 0x5ec2e7;
    Pair m;
    m.begin();
    m.pass(1'000);
    const uint64_t used = m.sender.cpu_ticks, waiters = m.waiter.cpu_ticks, end = m.core().slice_end;
    for (unsigned n = 2; n < 31; ++n) { m.cpu().x[n] = secret; }
    hw::counter += 200;
    const uint64_t charged = used + hw::counter - m.core().account_since;
    REQUIRE(m.signal_recv(m.handle, bit) == &m.waiter);
    CHECK(m.badge() == 0);
    CHECK(m.tag().bits == Tag::make(Kind::signals, 0, 0, 0).bits);
    CHECK(m.word(0) == bit);
    for (unsigned n = 3; n < 31; ++n) { CHECK(m.x(n) != secret); }
    CHECK(objects.find(m.bell)->notification.pending.load() == 0);
    CHECK(m.core().account == &m.waiter);
    CHECK(m.core().slice_end == end);
    CHECK(m.sender.cpu_ticks == charged);
    m.pass(300);
    REQUIRE(m.signal_recv(m.back, 1) == &m.sender);
    CHECK(m.waiter.cpu_ticks == waiters + 300);
    CHECK(m.word(0) == 1);
}

TEST_CASE("signal_recv is refused with a request in hand, and with what is no notification", "[ipc][signals]") {
    Machine m;
    Vcpu &server = m.vcpu(m.native("server"), 0, 20), &client = m.vcpu(m.native("client"));
    const ObjectRef door = m.endpoint({&server}), bell = m.notification(client);
    const uint64_t handle = m.grant(*client.partition, door), to_client = m.grant(*server.partition, bell);
    const uint64_t mute = m.grant(*server.partition, bell, 0, abi::right::destroy), other = m.grant(*server.partition, door);
    m.serve(server);
    m.start(client);
    REQUIRE(m.go() == &client);
    REQUIRE(m.call(handle) == &server);
    const auto refused = [&](uint64_t by, Status status) {
        REQUIRE(m.signal_recv(by, bit) == &server);
        CHECK(m.tag().kind() == Kind::refused);
        CHECK(m.status() == status);
    };
    refused(to_client, Status::bad_state);
    refused(mute, Status::no_right);
    refused(other, Status::bad_type);
    refused(99, Status::bad_handle);
    CHECK(objects.find(bell)->notification.pending.load() == 0);
    REQUIRE(m.reply(0x55) == &client); // its request was not lost
    CHECK(m.x(1) == 0x55);
}

} // namespace bulkhead::test
