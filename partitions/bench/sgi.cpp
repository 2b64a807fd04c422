// SPDX-License-Identifier: MIT
// Owns the SGI between two busy CPUs. QEMU's icount runs one CPU at a time, and gives way at YIELD: both yield while they wait.

#include "bench.h"

#include "gic.h"
#include "guest.h"
#include "machine.h"
#include "print.h"
#include "psci.h"
#include "timer.h"

#include <atomic>

extern "C" [[gnu::visibility("hidden")]] void secondary_start();
extern "C" [[gnu::visibility("hidden")]] const char secondary_stack_top[], sgi_vectors[];

namespace bench {

namespace {

using namespace guest;

SYSTEM_REGISTER(VbarEl1, "vbar_el1")

constexpr uint32_t sgi = 1;
constexpr uint64_t patience_us = 1'000'000;

constinit std::atomic<uint64_t> ready{0}; ///< the second CPU's affinity with bit 63
constinit uint64_t letter = 0;            ///< what CPU 0 sends without an SGI
constinit uint64_t answer = 0;            ///< SGIs taken and letters read

/// The answer changes once per round.
template <typename Send> void round_trip(Send send) {
    uint64_t before = __atomic_load_n(&answer, __ATOMIC_RELAXED);
    send();
    while (__atomic_load_n(&answer, __ATOMIC_RELAXED) == before) yield();
}

} // namespace

void measure_sgi() {
    int32_t status = psci::cpu_on(machine().affinity[1], secondary_start, secondary_stack_top);
    Deadline late(patience_us);
    while (ready.load() == 0 && !late.passed()) yield();
    if (ready.load() == 0) return print("error what=\"the second CPU does not start\" status={}", status);
    uint64_t affinity = ready.load() & ~(1ull << 63);
    measure(
        "sgi", [=] { round_trip([=] { gic().send_sgi(sgi, affinity); }); },
        [] { round_trip([] { __atomic_store_n(&letter, letter + 1, __ATOMIC_RELEASE); }); });
}

/// The receiver: busy, it looks for letters; an SGI's vector counts in x15.
extern "C" void secondary_main() {
    if (!start_secondary(1)) return;
    gic().enable(sgi, nullptr);
    VbarEl1::write(reinterpret_cast<uint64_t>(sgi_vectors));
    isb();
    ready = this_affinity() | 1ull << 63;
    register uint64_t taken asm("x15") = 0;
    asm volatile("1: yield\n"
                 "ldr x10, [%1]\n"
                 "add x10, x10, x15\n"
                 "str x10, [%2]\n"
                 "b 1b\n"
                 : "+r"(taken)
                 : "r"(&letter), "r"(&answer)
                 : "x10", "x16", "x17", "memory");
    __builtin_unreachable();
}

} // namespace bench
