// SPDX-License-Identifier: MIT
// Long random lives of guests, clients and services on two cores: whatever they do, the rules of Machine::check hold,
// and everybody who can go on does.
#include "machine.hpp"
#include <random>

namespace bulkhead::test {

namespace {

/// Two services that both cores have, the second of which the first calls, and which has a mate to exchange signals with; per core two
/// guests and a client; and a supervisor that stops, pauses and starts any of them.
struct World : Machine {
    std::mt19937_64 random;
    Vcpu* front[2];
    Vcpu* back[2];
    Vcpu* mate[2];
    Vcpu* boss;
    std::map<Vcpu*, uint64_t> to_front, to_back, to_notify, to_mate, to_control;
    std::map<Vcpu*, uint64_t> last_sequence;
    std::map<Vcpu*, ObjectRef> bell;
    ObjectRef front_door, back_door;
    static constexpr uint64_t front_ipa = 0x0900'0000, back_ipa = 0x0910'0000;

    explicit World(uint64_t seed) : Machine(2), random(seed) {
        Partition& front_of = program("front");
        Partition& back_of = program("back");
        for (unsigned n = 0; n < 2; ++n) {
            front[n] = &vcpu(front_of, n, 20);
            back[n] = &vcpu(back_of, n, one_in(2) ? 30 : 5);
        }
        front_door = endpoint({front[0], front[1]}, one_in(2) ? 20'000 : 0);
        back_door = endpoint({back[0], back[1]});
        grant_all(*front[0], {front[0], front[1]});
        grant_all(*back[0], {back[0], back[1]});
        for (unsigned n = 0; n < 2; ++n) {
            add_guest("guest-a", n, 10);
            add_guest("guest-b", n, 10);
            Vcpu& client = vcpu(program("client"), n, one_in(2) ? 10 : 25);
            if (one_in(2)) { budget(client, 700, 3'000); }
            grant_all(client, {&client});
            mate[n] = &vcpu(program("mate"), n, 20);
            to_notify[mate[n]] = grant(*mate[n]->partition, bell[mate[n]] = notification(*mate[n]));
            to_mate[mate[n]] = grant(*mate[n]->partition, bell[front[n]]);
            to_mate[front[n]] = grant(*front[n]->partition, bell[mate[n]]);
        }
        if (one_in(2)) { budget(*back[0], 400, 2'000); }
        boss = &vcpu(native("boss"), 0, 40);
        for (Vcpu* vcpu : vcpus) { to_control[vcpu] = 0; }
        unsigned slot = 0;
        for (Vcpu* vcpu : vcpus) {
            boss->partition->table[++slot] = {name_of(*vcpu), abi::right::all, false, 0};
            to_control[vcpu] = slot;
        }
        for (Vcpu* vcpu : vcpus) { start(*vcpu); }
        for (unsigned n = 0; n < 2; ++n) { on(n), go(); }
    }

    uint64_t below(uint64_t bound) { return random() % bound; }
    bool one_in(uint64_t n) { return below(n) == 0; }

    Partition& program(const char* name) { return native(name, !one_in(3)); }
    void add_guest(const char* name, unsigned core, unsigned priority) {
        Vcpu& guest = vcpu(vm(name), core, priority);
        device(*guest.partition, front_ipa, front_door, 1);
        device(*guest.partition, back_ipa, back_door, 2);
        trap(*guest.partition, abi::Trap::wfi, front_door, 3);
        if (one_in(2)) { budget(guest, 1'000, 4'000); }
    }
    void grant_all(Vcpu& first, std::initializer_list<Vcpu*> mine) {
        const uint64_t f = grant(*first.partition, front_door, 9), b = grant(*first.partition, back_door, 9);
        for (Vcpu* vcpu : mine) { to_front[vcpu] = f, to_back[vcpu] = b; }
        for (Vcpu* vcpu : mine) { to_notify[vcpu] = grant(*first.partition, bell[vcpu] = notification(*vcpu)); }
    }

    void guest_acts() {
        switch (below(5)) {
        case 0: load(front_ipa, 1); break;
        case 1: store(back_ipa, 2); break;
        case 2: wfi(); break;
        case 3: sync(ec::fp << 26 | il); break;
        default: pass(below(900)); break;
        }
    }
    void reply_somehow() {
        const uint64_t deadline = one_in(3) ? hw::counter + below(3'000) : no_deadline;
        const auto action = one_in(3) ? Action::wait : one_in(8) ? Action::retry : one_in(12) ? Action::off : Action::advance;
        const uint64_t until = one_in(3) ? no_deadline : hw::counter + below(4'000);
        reply(ReplyTag::make(action).bits, {until, until}, deadline);
    }
    void mate_acts() {
        if (one_in(3)) { return void(pass(below(500))); }
        one_in(4) ? reply_somehow() : void(signal_recv(to_mate[running()], 1));
    }
    void native_acts() {
        Vcpu* self = running();
        if (in_exception()) { return void(sync(ec::instruction_abort << 26 | il, native_vbar + 0x200, native_vbar)); }
        if (one_in(300)) { return exception(); }
        if (self == mate[hw::this_core]) { return mate_acts(); }
        const bool serves = self == front[hw::this_core] || self == back[hw::this_core];
        switch (below(serves ? 7 : 9)) {
        case 0: pass(below(900)); break;
        case 1: hvc(Hypercall::signal, {to_notify[self], 1}); break;
        case 3: {
            const uint64_t whom = to_mate.contains(self) && !one_in(4) ? to_mate[self] : to_notify[self];
            signal_recv(whom, below(4), one_in(8) ? hw::counter + below(2'000) : no_deadline);
            break;
        }
        case 2:
            if (self == front[hw::this_core] || !serves) {
                call(to_back[self]);
                break;
            }
            [[fallthrough]];
        case 7:
            if (!serves) {
                call(to_front[self]);
                break;
            }
            [[fallthrough]];
        case 8:
            if (!serves) {
                sync(ec::wfx << 26 | il); // gives up its slice
                break;
            }
            [[fallthrough]];
        default: reply_somehow();
        }
    }
    void boss_acts() {
        using abi::VcpuOperation;
        Vcpu& whom = *vcpus[below(vcpus.size() - 1)];
        auto control = [&](VcpuOperation operation) {
            hvc(Hypercall::vcpu_control, {to_control[&whom], static_cast<uint64_t>(operation), start_address});
        };
        switch (below(7)) {
        case 0: control(VcpuOperation::stop); break;
        case 1: control(VcpuOperation::pause); break;
        case 2:
        case 3: control(VcpuOperation::resume); break;
        case 4:
        case 5: restart_one(whom); break;
        default: break;
        }
        if (running() == boss) { reply(0, {}, hw::counter + 1 + below(2'000)); }
    }
    void restart_one(Vcpu& whom) {
        if (whom.state == VcpuState::faulted) { return stop(whom); }
        if (whom.state != VcpuState::off || whom.requests.load()) { return; }
        forget(whom);
        hvc(Hypercall::vcpu_control, {to_control[&whom], 0, start_address});
    }
    void stop(Vcpu& whom) { hvc(Hypercall::vcpu_control, {to_control[&whom], 1}); }

    void step() {
        on(static_cast<unsigned>(below(2)));
        interrupts();
        if (!running()) {
            pass(below(500));
        } else if (running() == boss) {
            boss_acts();
        } else if (running()->native) {
            native_acts();
        } else {
            guest_acts();
        }
    }
};

} // namespace

TEST_CASE("no random life breaks a rule", "[ipc][sched][random]") {
    const auto seed = GENERATE(range(1, 250));
    World m(static_cast<uint64_t>(seed));
    for (unsigned n = 0; n < 1'500; ++n) {
        INFO("seed " << seed << ", step " << n);
        m.step();
    }
}

} // namespace bulkhead::test
