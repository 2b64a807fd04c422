// SPDX-License-Identifier: MIT
// Native partitions whose program writes EL1 registers, two of one program: `unconfined` checks what it finds there when others on
// its core, `between` and VMs among them, have run; `marker` answers, with marks of its own left in the registers.
#include "services/lib/environment.hpp"
#include "test/guests/between/protocol.hpp"
#include "test/guests/native/crew.hpp"
#include "test/guests/unconfined/marks.hpp"

namespace test {
namespace {

using between::Label;
constexpr unsigned guests_priority = 10; // as every VM's, if its description does not say it

/// One of the two parties, and whom it signals.
struct Party {
    Owner owner;
    Handle between;
    uint64_t bit;
    uint64_t strange = 0, turns = 0;

    void look() { strange |= strange_registers(owner); }
    /// By signal_recv and by its two halves in turn.
    abi::Message signal_and_take() {
        if (++turns % 2 != 0) { return signal_and_receive(between, bit, abi::no_deadline); }
        signal(between, bit);
        return receive(abi::no_deadline);
    }
};

Party party(Owner owner) {
    auto const& e = Environment::get();
    return {owner, e.handle("notify.between"), 1ull << e.property("notify.between.signal")};
}

/// Time for others: a turn ends after 5 ms.
void linger() { spin_us(6'000); }

[[noreturn]] void mark_and_answer() {
    Party own = party(second_owner);
    uint64_t by_call = 0, by_access = 0;
    for (auto m = receive(abi::no_deadline);;) {
        own.look();
        put_marks(own.owner);
        LongAnswer answer = Status::ok;
        switch (m.tag.kind()) {
        case abi::Kind::signals: m = own.signal_and_take(); continue;
        case abi::Kind::mmio_read: answer = Answer::advance(between::device_word(m.words[0], 2, 0)); [[fallthrough]];
        case abi::Kind::mmio_write: ++by_access; break;
        default:
            by_call += m.tag.label() == Label::for_guest;
            if (m.tag.label() == Label::linger) { linger(), own.look(), put_marks(own.owner); }
            if (m.tag.label() == Label::tell) { answer = LongAnswer::make(Status::ok, own.strange, by_call, by_access); }
        }
        m = receive(abi::no_deadline, answer);
    }
}

void call_with_marks(uint64_t slot) {
    put_marks(first_owner);
    call(slot, Label::brief);
    set_flag(1);
}

void look_and_answer(uint64_t) {
    for (;;) {
        receive(abi::no_deadline);
        facts().count[0] |= strange_registers(nobody);
        ++facts().count[1];
    }
}

/// Between two vCPUs of one partition, which was made at run time.
void check_crew() {
    constexpr Handle slot = 10;
    static Crew crew;
    crew.make();
    clear_facts();
    check("crew.prepare", Status::ok, crew.prepare(0, 0, 30));
    Handle const endpoint = take_slot();
    check("crew.endpoint", Status::ok, create_endpoint(nothing_donated, endpoint, 0));
    check("crew.bind", Status::ok, bind(endpoint, crew.vcpu(0)));
    check("crew.give", Status::ok, crew.give(slot, endpoint, right::call));
    check("crew.server", Status::ok, crew.run(0, 0, 30, look_and_answer));
    for (unsigned i = 0; i < 3; ++i) {
        facts().flag[1] = 0;
        crew.run(1, 0, 25, call_with_marks, slot);
        check("crew.answered", wait_flag(1));
    }
    check("crew.messages", 3, facts().count[1]);
    check("crew.strange", 0, facts().count[0]);
    check("crew.unmake", Status::ok, crew.unmake());
}

void check_strange(std::string_view what, uint64_t strange) {
    for (unsigned i = 0; i < registers_marked; ++i) {
        if ((strange >> i & 1) != 0) { log("strange", {{"where", what}, {"register", marked[i].name}}); }
    }
    check(what, 0, strange);
}

/// `once` makes somebody else run, for long if asked to. Others of its priority, and less urgent ones, run as well.
template <typename Once> void check_rounds(std::string_view what, Once once) {
    Party own = party(first_owner);
    unsigned good = 0;
    for (unsigned i = 0; i < 64; ++i) {
        put_marks(own.owner);
        good += once(own, i % 16 == 15);
        own.look();
        put_marks(own.owner);
        if (i % 16 == 7) { linger(); }
        if (i % 4 == 0) { sleep_us(300); }
        own.look();
    }
    Text<64> name;
    check(name.put(what).put(".good"), 64, good);
    name.clear();
    check_strange(name.put(what).put(".strange"), own.strange);
}

void check_ways(Handle chain, Handle direct) {
    auto by_call = [](Handle server) {
        return [=](Party&, bool for_long) { return call(server, for_long ? Label::linger : Label::brief).result() == Status::ok; };
    };
    check_rounds("rounds.direct", by_call(direct));
    check_rounds("rounds.chain", by_call(chain));
    check_rounds("rounds.signals", [](Party& own, bool) { return own.signal_and_take().tag.kind() == abi::Kind::signals; });
}

void check_chains() {
    auto const& e = Environment::get();
    Handle const chain = e.handle("call.between"), direct = e.handle("call.marker");
    auto guests_run = [=] {
        auto const told = call(direct, Label::tell);
        return told.words[1] > 100 && told.words[2] > 100;
    };
    check("guests.run", wait_for(guests_run, 60'000'000));
    check_ways(chain, direct);
    check("guests.equal", Status::ok, vcpu_schedule(own().vcpu, guests_priority, 0, 0));
    check_ways(chain, direct);
    check_strange("marker.strange", call(direct, Label::tell).words[0]);
}

} // namespace
} // namespace test

int main() {
    if (service::Environment::get().handle_or_none("call.between") == 0) { test::mark_and_answer(); }
    test::check_crew();
    test::check_chains();
    test::finish();
}
