// SPDX-License-Identifier: MIT
// Owns what the CPUs do with each other: PSCI on and off, SGIs both ways, flags by spin and by WFE.

#include "pair.h"

#include "gic.h"
#include "print.h"
#include "psci.h"

extern "C" [[gnu::visibility("hidden")]] void secondary_start();
extern "C" [[gnu::visibility("hidden")]] const char secondary_stack_top[];

namespace pair {

using namespace guest;

constinit Second second{};
constinit std::atomic<bool> second_may_leave{false};

namespace {

constexpr uint32_t ping = 1, pong = 2;
constexpr uint32_t sgi_rounds = 200;
constexpr uint64_t no_such_cpu = 0x00fe'fe0e;

constinit std::atomic<uint64_t> first_affinity{0};
constinit std::atomic<uint32_t> pings{0}, pongs{0};
constinit std::atomic<uint32_t> at_barrier{0};
constinit std::atomic<uint32_t> ball{0};

int32_t turn_on(uint64_t affinity) { return psci::cpu_on(affinity, secondary_start, secondary_stack_top); }

bool expect(const char* what, int32_t status, int32_t wanted) {
    if (status == wanted)
        print("{} ok", what);
    else
        print("{} FAILED: status {}, expected {}", what, status, wanted);
    return status == wanted;
}

void print_affinity(unsigned cpu, uint64_t affinity) {
    print("cpu{} affinity={}.{}.{}.{}", cpu, affinity >> 32 & 0xff, affinity >> 16 & 0xff, affinity >> 8 & 0xff, affinity & 0xff);
}

bool arrived(uint32_t times) {
    bool here = await(Wait::spin, [&] { return second.arrivals.load() == times; });
    if (!here) print("cpu1 FAILED to arrive, time {}", times);
    if (second.without_gic) print("cpu1 FAILED: no redistributor has its affinity");
    return here && !second.without_gic;
}

/// Both CPUs are here before one goes on.
bool meet() {
    uint32_t all = (at_barrier.fetch_add(1) / max_cpus + 1) * max_cpus;
    sev();
    return await(Wait::wfe, [&] { return at_barrier.load() >= all; });
}

bool ping_pong() {
    for (uint32_t round = 1; round <= sgi_rounds; ++round) {
        gic().send_sgi(ping, second.affinity);
        yield(); // QEMU's icount lets the other CPU see the SGI only now
        if (!await(Wait::wfi, [&] { return pongs.load() >= round; })) {
            print("sgi FAILED in round {}: pings={} pongs={}", round, pings.load(), pongs.load());
            return false;
        }
    }
    print("sgi rounds={} pings={} pongs={} ok", sgi_rounds, pings.load(), pongs.load());
    return true;
}

} // namespace

bool start_second_cpu(uint64_t affinity) {
    if (!expect("psci version", psci::version() >= 2, 1)) return false;
    print_affinity(0, this_affinity());
    bool good = expect("cpu_on of no cpu is refused", turn_on(no_such_cpu), psci::invalid_parameters);
    if (!expect("cpu_on", turn_on(affinity), psci::success) || !arrived(1)) return false;
    print_affinity(1, second.affinity);
    good &= expect("cpu_on of a running cpu is refused", turn_on(affinity), psci::already_on);
    good &= expect("affinity_info on", psci::affinity_info(affinity), psci::on);
    second_may_leave = true;
    await(Wait::spin, [&] { return psci::affinity_info(affinity) == psci::off; });
    good &= expect("cpu_off", psci::affinity_info(affinity), psci::off);
    return expect("cpu_on again", turn_on(affinity), psci::success) && arrived(2) && good;
}

bool check_sgis() {
    if (this_cpu() == 0) {
        first_affinity = this_affinity();
        gic().enable(pong, [] { pongs.fetch_add(1); });
    } else {
        gic().enable(ping, [] {
            pings.fetch_add(1);
            gic().send_sgi(pong, first_affinity);
        });
    }
    if (!meet()) {
        print("sgi FAILED: cpu{} waits alone", this_cpu());
        return false;
    }
    if (this_cpu() == 0) return ping_pong();
    return await(Wait::wfi, [] { return pings.load() >= sgi_rounds; });
}

/// A number goes to and fro: CPU 0 makes it odd, CPU 1 even.
bool check_flags(const char* name, Wait how, uint32_t rounds) {
    if (!meet()) {
        print("{} FAILED: cpu{} waits alone", name, this_cpu());
        return false;
    }
    uint32_t start = ball.load() & ~1u;
    if (!meet()) return false;
    bool good = true;
    for (uint32_t round = 0; good && round < rounds; ++round) {
        uint32_t mine = start + 2 * round + this_cpu();
        good = await(how, [&] { return ball.load() == mine; });
        ball = mine + 1;
        if (how == Wait::wfe) sev();
    }
    good = meet() && good;
    if (this_cpu() == 0) good ? print("{} rounds={} ok", name, rounds) : print("{} FAILED: ball={}", name, ball.load());
    return good;
}

} // namespace pair
