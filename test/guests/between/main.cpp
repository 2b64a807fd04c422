// SPDX-License-Identifier: MIT
// Owns `between`: a service that touches no EL1 register, and has its work done by the service behind it: every second access of
// a guest, every call; and a signal goes through it, by signal_recv and by its two halves in turn.
#include "abi/protocol/client.hpp"
#include "services/lib/environment.hpp"
#include "test/guests/between/protocol.hpp"
#include "test/guests/native/check.hpp"

using namespace service;

namespace {

using between::Label;

struct Way {
    Handle to;
    uint64_t bit;
};

class Between {
public:
    explicit Between(Environment const& e) {
        auto const name = e.string("property.behind");
        auto with_name = [&](std::string_view before, std::string_view after) {
            return Text<60>().put(before).put(name).put(after);
        };
        behind_ = e.handle(with_name("call.", ""));
        if (!e.has("notify.unconfined")) { return; }
        from_front_ = 1ull << e.property("signal.unconfined");
        to_front_ = {e.handle("notify.unconfined"), 1ull << e.property("notify.unconfined.signal")};
        to_back_ = {e.handle(with_name("notify.", "")), 1ull << e.property(with_name("notify.", ".signal"))};
    }

    Answer on(MmioRead const& m) {
        bool const whole = (m.address & 0xfff) == 8;
        return Answer::advance(whole ? call(behind_, Label::vectors).words[0] : (work(), m.badge + 1));
    }
    Answer on(MmioWrite const&) { return work(), Answer::advance(); }
    LongAnswer on(Call const& m) {
        if (m.badge == abi::client::control_badge) { return Status::ok; }
        return call(behind_, m.label).result();
    }

    Way next(uint64_t signals) const { return (signals & from_front_) != 0 ? to_back_ : to_front_; }

private:
    void work() {
        if (++accesses_ % 2 != 0) { return; }
        if (Status const status = call(behind_, Label::for_guest).status; status != Status::ok) {
            log("unanswered", {{"status", abi::name(status)}});
        }
    }

    Handle behind_;
    uint64_t from_front_ = 0, accesses_ = 0;
    Way to_front_{}, to_back_{};
};

} // namespace

int main() {
    Between between{Environment::get()};
    unsigned turns = 0;
    for (auto m = test::receive(abi::no_deadline);;) {
        LongAnswer answer;
        if (m.tag.kind() == abi::Kind::signals) {
            auto const way = between.next(m.words[0]);
            if (++turns % 4 < 2) {
                m = test::signal_and_receive(way.to, way.bit, abi::no_deadline);
                continue;
            }
            signal(way.to, way.bit);
        } else {
            answer = detail::dispatch(between, m);
        }
        m = test::receive(abi::no_deadline, answer);
    }
}
