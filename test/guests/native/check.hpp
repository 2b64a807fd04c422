// SPDX-License-Identifier: MIT
// What the native test partitions share: one log line per check, and waiting. Only vCPU 0 of the partition checks.
#pragma once
#include "services/lib/cpu.hpp"
#include "services/lib/hypercall.hpp"
#include "services/lib/log.hpp"
#include "services/lib/serve.hpp"

namespace test {

using namespace service;
namespace right = abi::right;
namespace access = abi::access;

struct Counts {
    unsigned passed, failed;
};
inline constinit Counts counts{};

/// Takes the next message, signals or the deadline.
inline abi::Message receive(uint64_t deadline, LongAnswer answer = {}) {
    abi::Message m;
    service::detail::reply_and_receive(m, deadline, answer);
    return m;
}

/// Signals and takes the next message, in one; or a message of Kind::refused.
inline abi::Message signal_and_receive(Handle notification, uint64_t set, uint64_t deadline) {
    abi::Message m;
    service::signal_and_receive(m, notification, set, deadline);
    return m;
}

/// Gives the core away; returns the signals that came meanwhile, early if some did.
inline uint64_t sleep_us(uint64_t us) {
    auto m = receive(now() + ticks(us));
    return m.tag.kind() == abi::Kind::signals ? m.words[0] : 0;
}

inline void spin_us(uint64_t us) {
    for (uint64_t const end = now() + ticks(us); now() < end;) { relax(); }
}

/// Waits until `true_now()`, at most `us`; says whether it came true.
template <typename Predicate> bool wait_for(Predicate true_now, uint64_t us = 2'000'000) {
    for (uint64_t const end = now() + ticks(us); now() < end;) {
        if (true_now()) { return true; }
        sleep_us(200);
    }
    return true_now();
}

inline void count(bool good) {
    ++(good ? counts.passed : counts.failed);
    sleep_us(100); // the console takes the line out of the ring
}

inline void check(std::string_view name, Status expected, Status got) {
    log("check", {{"name", name}, {"expected", abi::name(expected)}, {"got", abi::name(got)}});
    count(expected == got);
}

inline void check(std::string_view name, uint64_t expected, uint64_t got) {
    log("check", {{"name", name}, {"expected", Hex{expected}}, {"got", Hex{got}}});
    count(expected == got);
}

inline void check(std::string_view name, bool got) { check(name, uint64_t{1}, uint64_t{got}); }

/// In [low, high]; pytest sees the number.
inline void check_range(std::string_view name, uint64_t low, uint64_t high, uint64_t got) {
    log("check", {{"name", name}, {"low", low}, {"high", high}, {"got", got}});
    count(low <= got && got <= high);
}

[[noreturn]] inline void finish() {
    log("checks", {{"passed", counts.passed}, {"failed", counts.failed}});
    for (;;) { receive(abi::no_deadline); }
}

} // namespace test
