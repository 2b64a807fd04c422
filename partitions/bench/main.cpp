// SPDX-License-Identifier: MIT
// Owns the benchmark guest: one binary for Bulkhead, for the bare machine and for other hypervisors. The bootargs name the
// operations; without any it measures all that one CPU can. docs/benchmark.md defines each.

#include "bench.h"

#include "gic.h"
#include "guest.h"
#include "machine.h"
#include "print.h"
#include "psci.h"
#include "timer.h"

extern "C" const char guest_name[] = "bench";

namespace {

using namespace bench;
using namespace guest;

constexpr char written = '\r'; // no line ends: some hypervisors print whole lines, at a price
constexpr uint64_t uart_data = 0x00, uart_flags = 0x18, uart_integer_divisor = 0x24, settle_us = 50'000;

bool wanted(const char* name, bool by_default = true) {
    const char* at = machine().bootargs;
    if (!at || !*at) return by_default;
    while (*at) {
        const char* n = name;
        while (*n && *at == *n) ++n, ++at;
        if (!*n && (*at == ' ' || !*at)) return true;
        while (*at && *at != ' ') ++at;
        while (*at == ' ') ++at;
    }
    return false;
}

/// Sleeps in WFI until CNTV's interrupt, and takes it as an operating system would.
void sleep(uint64_t ticks) {
    IrqGuard masked;
    CntvCvalEl0::write(CntvctEl0::read() + ticks);
    CntvCtlEl0::write(1);
    isb();
    wfi();
    unmask_interrupts();
    isb(); // the interrupt comes here
}

/// Sleeps by this for `us`; whoever else has something to do does it meanwhile.
void start_sleeping(uint64_t us) {
    gic().enable(machine().virtual_timer_intid, [] {
        CntvCtlEl0::write(0);
        isb();
    });
    sleep(micros_to_ticks(us));
}

void measure_sleep() {
    uint64_t ticks_per_ms = micros_to_ticks(1000);
    start_sleeping(settle_us);
    uint64_t slept = ticks_of([=] { sleep(ticks_per_ms); });
    if (wanted("twice", false)) slept = ticks_of([=] { sleep(ticks_per_ms); }); // for who counts from outside
    Samples samples;
    if (has_pmu)
        samples = samples_of(
            rounds, [=] { sleep(ticks_per_ms); }, empty_round());
    gic().disable(machine().virtual_timer_intid);
    report("sleep", slept - rounds * ticks_per_ms, samples);
}

void measure_exits() {
    uint64_t uart = machine().uart.base;
    if (wanted("uart.read")) measure("uart.read", [=] { mmio_read<uint32_t>(uart + uart_flags); });
    if (wanted("uart.write")) measure("uart.write", [=] { mmio_write<uint32_t>(uart + uart_data, written); });
    if (wanted("uart.setup") && !machine().uart_is_set_up)
        measure("uart.setup", [=] { mmio_write<uint32_t>(uart + uart_integer_divisor, 1); });
    if (wanted("sysreg.read")) measure("sysreg.read", [] { CntpCtlEl0::read(); });
    if (wanted("hvc") && machine().psci == PsciMethod::hvc)
        measure("hvc", [] {
            register uint64_t x0 asm("x0") = 0x8400'0000; // PSCI_VERSION
            asm volatile("hvc #0" : "+r"(x0) : : "x1", "x2", "x3", "memory");
        });
}

} // namespace

extern "C" void guest_main() {
    if (!start_machine()) return;
    has_pmu = start_pmu();
    print("clock pmu={} hertz={} cpus={}", has_pmu ? "yes" : "no", CntfrqEl0::read(), machine().cpus);
    measure_exits();
    if (wanted("timer")) measure_deadline();
    if (wanted("sleep")) measure_sleep();
    if (wanted("switch", false)) {
        start_sleeping(settle_us); // until the other VM is there
        measure_turns();
    }
    if (wanted("spin", false)) spin(300'000);
    if (wanted("sgi", false)) measure_sgi();
    print("done");
    psci::system_off();
}
