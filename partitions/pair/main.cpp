// SPDX-License-Identifier: MIT
// Owns the pair guest: two CPUs that start, signal and wait for each other and check FP registers.

#include "pair.h"

#include "gic.h"
#include "guest.h"
#include "machine.h"
#include "print.h"
#include "psci.h"

extern "C" const char guest_name[] = "pair";

namespace pair {

using namespace guest;

extern "C" void fp_disturb();

namespace {

constinit Timer tick[max_cpus] = {Timer{Timer::Kind::virtual_timer}, Timer{Timer::Kind::virtual_timer}};

void on_tick() {
    tick[this_cpu()].on_interrupt();
    fp_disturb();
}

/// What both CPUs do together, in this order.
bool cross_checks() {
    start_tick(10'000);
    bool good = check_sgis();
    good &= check_flags("spin", Wait::spin, 50);
    good &= check_flags("wfe", Wait::wfe, 200);
    return good;
}

bool check_fp_here_and_there(bool with_second) {
    bool good = print_fp(0, check_fp());
    if (!with_second) return good;
    start_tick(10'000);
    if (!await(Wait::wfi, [] { return second.fp_done.load(); })) {
        print("fp: FAILED, cpu1 did not finish");
        return false;
    }
    return print_fp(1, second.fp) && good;
}

uint64_t other_affinity() {
    const Machine& m = machine();
    for (uint32_t i = 0; i < m.cpus && i < Machine::max_listed_cpus; ++i)
        if (m.affinity[i] != this_affinity()) return m.affinity[i];
    return this_affinity();
}

void idle() {
    constexpr uint64_t period_us = 10'000'000;
    start_tick(period_us);
    for (uint32_t seen = 0;;) {
        sleep_unless([&] { return tick[0].fired() != seen; });
        while (seen != tick[0].fired()) print("alive {}", ++seen);
    }
}

} // namespace

void start_tick(uint64_t micros) {
    gic().enable(machine().virtual_timer_intid, on_tick);
    tick[this_cpu()].start(micros, true);
}

void stop_tick() { tick[this_cpu()].stop(); }

extern "C" void guest_main() {
    if (!start_machine()) return;
    bool good = true, two = machine().cpus > 1;
    if (!two) print("one cpu only, the checks across cpus are left out");
    if (two) {
        good = two = start_second_cpu(other_affinity());
        if (two) good = cross_checks();
    }
    good &= check_fp_here_and_there(two);
    print(good ? "ready" : "ready, but checks FAILED");
    idle();
}

/// The second CPU: leaves once when told, then goes through the checks and sleeps for ever.
extern "C" void secondary_main() {
    if (!start_secondary(1)) second.without_gic = true;
    second.affinity = this_affinity();
    if (second.arrivals.fetch_add(1) == 0) {
        await(Wait::spin, [] { return second_may_leave.load(); });
        psci::cpu_off();
    }
    cross_checks();
    second.fp = check_fp();
    second.fp_done = true;
    sev();
    stop_tick();
    for (;;) wfi();
}

} // namespace pair
