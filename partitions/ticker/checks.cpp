// SPDX-License-Identifier: MIT
// Owns the checks that the ticker guest makes once: exclusives, UART interrupts, both timers.

#include "ticker.h"

#include "cpu.h"
#include "gic.h"
#include "machine.h"
#include "pl011.h"
#include "print.h"

#include <atomic>

namespace ticker {

using namespace guest;

constinit Timer virtual_timer{Timer::Kind::virtual_timer};
constinit Timer physical_timer{Timer::Kind::physical_timer};

namespace {

/// Sleeps until `done()`, at most `micros` by `guard`, which must not be in use otherwise.
template <typename Condition> bool sleep_until(Timer& guard, uint64_t micros, Condition done) {
    guard.start(micros, false);
    while (!done() && guard.fired() == 0) sleep_unless([&] { return done() || guard.fired() != 0; });
    guard.stop();
    return done();
}

bool enable_interrupts() {
    const Machine& m = machine();
    bool good = gic().enable(m.uart_intid, [] { uart().on_interrupt(); });
    good &= gic().enable(m.virtual_timer_intid, [] { virtual_timer.on_interrupt(); });
    good &= gic().enable(m.physical_timer_intid, [] { physical_timer.on_interrupt(); });
    return good;
}

/// Five ticks of `timer`, then none any more; `guard` bounds the wait.
bool check_timer(const char* name, Timer& timer, Timer& guard) {
    constexpr uint32_t ticks = 5, period_us = 50'000;
    uint64_t start = CntvctEl0::read();
    timer.start(period_us, true);
    for (uint32_t n = 1; n <= ticks; ++n) {
        if (!sleep_until(guard, 40 * period_us, [&] { return timer.fired() >= n; })) {
            timer.stop();
            print("{} tick {} FAILED to come", name, n);
            return false;
        }
        print("{} tick {}", name, n);
    }
    bool early = CntvctEl0::read() - start < micros_to_ticks(ticks * period_us);
    timer.stop();
    uint32_t fired = timer.fired();
    sleep_until(guard, 2 * period_us, [] { return false; });
    if (early || timer.fired() != fired || timer.spurious() != 0) {
        print("{} FAILED: early={} ticks after stop={} spurious={}", name, early, timer.fired() - fired, timer.spurious());
        return false;
    }
    print("{} ok", name);
    return true;
}

bool check_both_timers() {
    virtual_timer.start(20'000, true);
    physical_timer.start(30'000, true);
    auto enough = [] { return virtual_timer.fired() >= 6 && physical_timer.fired() >= 4; };
    Deadline late(2'000'000);
    while (!enough() && !late.passed()) sleep_unless(enough);
    bool good = enough() && virtual_timer.spurious() == 0 && physical_timer.spurious() == 0;
    virtual_timer.stop();
    physical_timer.stop();
    if (good)
        print("cntv and cntp together ok");
    else
        print("cntv and cntp together FAILED: cntv={} cntp={}", virtual_timer.fired(), physical_timer.fired());
    return good;
}

} // namespace

/// Only write-back memory makes exclusives sure to work.
bool check_exclusives() {
    std::atomic<uint32_t> count{0};
    for (unsigned i = 0; i < 100; ++i) count.fetch_add(1);
    bool good = count.load() == 100;
    print(good ? "mmu and exclusives ok" : "mmu and exclusives FAILED");
    return good;
}

bool check_uart_output() {
    if (!enable_interrupts()) {
        print("interrupts FAILED: an INTID of the device tree is out of reach");
        return false;
    }
    print("uart polled tx ok");
    uart().start_interrupts();
    for (unsigned line = 1; line <= 4; ++line)
        print("uart irq tx line {} ABCDEFGHIJKLMNOPQRSTUVWXYZ abcdefghijklmnopqrstuvwxyz", line);
    bool done = sleep_until(virtual_timer, 2'000'000, [] { return uart().output_done(); });
    bool good = done && uart().tx_interrupts() > 0;
    if (!good) uart().flush();
    print(good ? "uart irq tx ok" : "uart irq tx FAILED: no interrupt came");
    return good;
}

bool check_timers() {
    bool good = check_timer("cntv", virtual_timer, physical_timer);
    good &= check_timer("cntp", physical_timer, virtual_timer);
    good &= check_both_timers();
    return good;
}

} // namespace ticker
