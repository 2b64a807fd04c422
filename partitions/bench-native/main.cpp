// SPDX-License-Identifier: MIT
// Owns the native partitions of the benchmark, one program by roles: `client` counts calls to `server`, a refused hypercall, and
// signals to and from `ponger`; `filler` only is there. docs/benchmark.md defines the operations.
#include "partitions/bench/pmu.h"
#include "services/lib/cpu.hpp"
#include "services/lib/environment.hpp"
#include "services/lib/hypercall.hpp"
#include "services/lib/log.hpp"
#include "services/lib/serve.hpp"

namespace bench {
namespace {

using namespace service;

constexpr unsigned rounds = 256, warm_up = 8;

/// Waits for a signal.
[[gnu::always_inline]] inline void receive() {
    abi::Message m;
    detail::reply_and_receive(m, abi::no_deadline, Answer{});
}

template <typename Operation> [[gnu::noinline]] uint64_t ticks_of(Operation operation) {
    for (unsigned i = 0; i < warm_up; ++i) { operation(); }
    uint64_t const begin = now();
    for (unsigned i = 0; i < rounds; ++i) { operation(); }
    return now() - begin;
}

/// A line to the console; in a system without one, to the machine's own PL011.
void say(std::string_view event, std::initializer_list<Field> fields = {}) {
    auto const& environment = Environment::get();
    if (!environment.has("device.pl011")) { return log(event, fields); }
    auto* const data = environment.region("device.pl011").as<uint32_t volatile>();
    auto const line = format_log_line(now_us(), environment.string("name"), event, fields);
    for (char const c : line.view()) { *data = static_cast<uint8_t>(c); }
    *data = '\n';
}

template <typename Operation> void measure(std::string_view name, Operation operation) {
    auto const nothing = [] { asm volatile("nop"); };
    uint64_t const empty = ticks_of(nothing);
    uint64_t const ticks = ticks_of(operation);
    Samples const s = samples_of(rounds, operation, samples_of(rounds, nothing).mean());
    say("op", {{"name", name},
               {"rounds", rounds},
               {"ticks", ticks - empty},
               {"least", s.least},
               {"most", s.most},
               {"sum", s.sum},
               {"el2", s.el2}});
}

/// Six words come, six words go.
[[noreturn]] void echo() {
    abi::Message m;
    LongAnswer answer;
    for (;;) {
        detail::reply_and_receive(m, abi::no_deadline, answer);
        auto const* w = m.words;
        answer = LongAnswer::make(Status::ok, w[0], w[1], w[2], w[3], w[4], w[5]);
    }
}

[[noreturn]] void send_back(Handle notification, uint64_t set) {
    abi::Message m;
    receive();
    for (;;) { signal_and_receive(m, notification, set, abi::no_deadline); }
}

[[noreturn]] void send_back_apart(Handle notification, uint64_t set) {
    for (;;) {
        receive();
        signal(notification, set);
    }
}

[[noreturn]] void wait_for_ever() {
    for (;;) { receive(); }
}

void measure_all(Environment const& environment) {
    if (!start_counters()) { say("error", {{"what", "the PMU counts no instructions"}}); }
    Handle const server = environment.handle("call.server");
    measure("ipc", [=] { call(server, 1, CallWords{{1, 2, 3, 4, 5, 6}}); });
    Handle const nobody = environment.property("slots") - 1;
    if (signal(nobody, 1) != Status::bad_handle) { say("error", {{"what", "the handle is good"}}); }
    measure("refused", [=] { signal(nobody, 1); });
    if (Handle const ponger = environment.handle_or_none("notify.ponger"); ponger != 0) {
        uint64_t const set = 1ull << environment.property("notify.ponger.signal");
        measure("signals", [=] {
            abi::Message m;
            signal_and_receive(m, ponger, set, abi::no_deadline);
        });
    }
    if (Handle const ponger = environment.handle_or_none("notify.ponger-apart"); ponger != 0) {
        uint64_t const set = 1ull << environment.property("notify.ponger-apart.signal");
        measure("signals.apart", [=] {
            signal(ponger, set);
            receive();
        });
    }
    say("done");
}

} // namespace
} // namespace bench

int main() {
    using namespace bench;
    uint64_t const entered_at = now();
    auto const& environment = Environment::get();
    auto const role = environment.string("property.role");
    if (role == "server") { echo(); }
    if (role.starts_with("ponger")) {
        Handle const client = environment.handle("notify.client");
        uint64_t const set = 1ull << environment.property("notify.client.signal");
        role == "ponger" ? send_back(client, set) : send_back_apart(client, set);
    }
    if (role == "client") {
        say("hello", {{"entered_at", entered_at}});
        measure_all(environment);
    }
    wait_for_ever();
}
