// SPDX-License-Identifier: MIT
// Owns the exits guest: it counts what a trapped access costs, in ticks of CNTVCT (one CPU, -icount shift=0).

#include "cpu.h"
#include "guest.h"
#include "machine.h"
#include "print.h"

extern "C" const char guest_name[] = "exits";

namespace {

constexpr unsigned rounds = 300, batches = 5;

/// Ticks that `rounds` repetitions of `operation` take when nothing comes in between: the least of all batches.
template <typename Operation> uint64_t ticks_of(Operation operation) {
    uint64_t least = ~0ull;
    for (unsigned batch = 0; batch < batches; ++batch) {
        guest::isb();
        uint64_t begin = guest::CntvctEl0::read();
        for (unsigned i = 0; i < rounds; ++i) operation();
        guest::isb();
        uint64_t ticks = guest::CntvctEl0::read() - begin;
        if (ticks < least) least = ticks;
    }
    return least;
}

template <typename Operation> void report(const char* name, uint64_t empty, Operation operation) {
    uint64_t ticks = ticks_of(operation);
    guest::print("{} rounds={} ticks={}", name, rounds, ticks - empty);
}

} // namespace

extern "C" void guest_main() {
    if (!guest::start_machine()) return;
    constexpr uint64_t data = 0x00, flags = 0x18, integer_divisor = 0x24;
    uint64_t uart = guest::machine().uart.base;
    uint64_t empty = ticks_of([] { asm volatile("nop"); });
    report("uart.read", empty, [&] { guest::mmio_read<uint32_t>(uart + flags); });
    report("uart.write", empty, [&] { guest::mmio_write<uint32_t>(uart + data, '\n'); });
    report("uart.setup", empty, [&] { guest::mmio_write<uint32_t>(uart + integer_divisor, 1); });
    report("sysreg.read", empty, [] { guest::CntpCtlEl0::read(); });
    report("hvc", empty, [] {
        register uint64_t x0 asm("x0") = 0x84000000; // PSCI_VERSION
        asm volatile("hvc #0" : "+r"(x0) : : "x1", "x2", "x3", "memory");
    });
    guest::print("ready");
    for (;;) guest::wfi();
}
