// SPDX-License-Identifier: MIT
// Owns a service that hangs or faults when asked to, and the partitions that ask it: what a native caller gets when the service is
// killed; and what the console answers on each core. One program: whoever may call `server` asks.
#include "abi/protocol/console.hpp"
#include "services/lib/environment.hpp"
#include "services/lib/spinlock.hpp"
#include "test/guests/native/check.hpp"

namespace test {
namespace {

enum Request : uint16_t { count = 1, hang = 2, fault = 3, look = 4 };

/// Counts its callers' requests: in its data, and in memory that survives it. Says when both its vCPUs hang.
class Server {
public:
    explicit Server(uint64_t* total) : total_(total) {}
    LongAnswer on(Call const& m) {
        if (m.label == hang) {
            if (__atomic_add_fetch(&hanging_, 1, __ATOMIC_RELAXED) == 2) { log("hangs", {}); }
            for (;;) { relax(); }
        }
        if (m.label == fault) { asm volatile("brk #1"); }
        if (m.label == look) { return LongAnswer::make(Status::ok, __atomic_load_n(total_, __ATOMIC_RELAXED)); }
        uint64_t const total = __atomic_add_fetch(total_, 1, __ATOMIC_RELAXED);
        return LongAnswer::make(Status::ok, __atomic_add_fetch(&since_start_, 1, __ATOMIC_RELAXED), total);
    }

private:
    uint64_t* total_;
    uint64_t since_start_ = 0, hanging_ = 0;
};

/// Asks for an end that does not come, then for a count until it is given, but not for ever.
void ask(Handle server, Request what, std::string_view name) {
    log("told", {{"what", name}, {"status", abi::name(call(server, what).result())}});
    auto answer = call(server, count);
    uint64_t lost = 0;
    for (; answer.result() == Status::server_fault && lost < 2'000; ++lost) {
        sleep_us(1'000);
        answer = call(server, count);
    }
    log("counted",
        {{"status", abi::name(answer.result())}, {"lost", lost}, {"since_start", answer.words[0]}, {"total", answer.words[1]}});
}

} // namespace
} // namespace test

int main() {
    using namespace test;
    auto const& environment = Environment::get();
    Handle const server = environment.handle_or_none("call.server");
    if (server == 0) {
        static Server own{environment.region("state").as<uint64_t>()};
        serve(own);
    }
    if (Handle const console = environment.handle_or_none("call.console"); console != 0) {
        auto const flushed = call(console, static_cast<uint16_t>(abi::console::Label::flush));
        log("flushed", {{"status", abi::name(flushed.result())}});
    }
    for (uint64_t i = 0; i < environment.property("property.hangs"); ++i) { ask(server, hang, "hang"); }
    // The other caller has counted, too, before a fault makes the server's data new.
    while (call(server, look).words[0] < environment.property_or("property.total_before_faults", 0)) { sleep_us(1'000); }
    for (uint64_t i = 0; i < environment.property("property.faults"); ++i) { ask(server, fault, "fault"); }
    log("done", {});
    for (;;) { receive(abi::no_deadline); }
}
