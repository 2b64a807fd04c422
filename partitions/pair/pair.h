// SPDX-License-Identifier: MIT
// Owns what the two CPUs of this guest share: how they wait for each other, and the checks.
#pragma once

#include "cpu.h"
#include "timer.h"

#include <atomic>
#include <cstdint>

#pragma GCC visibility push(hidden) // no GOT, so no relocations

namespace pair {

constexpr uint64_t patience_us = 20'000'000;

enum class Wait : uint8_t { spin, wfe, wfi };

/// Waits for the other CPU; false if it did not come. The CPU's tick must run, except to spin.
template <typename Condition> bool await(Wait how, Condition met) {
    guest::Deadline late(patience_us);
    while (!met()) {
        if (late.passed()) return false;
        if (how == Wait::spin)
            guest::yield();
        else if (how == Wait::wfe)
            guest::wfe();
        else
            guest::sleep_unless(met);
    }
    return true;
}

/// The virtual timer of this CPU, ticking every `micros`; its handler uses the FP registers too.
void start_tick(uint64_t micros);
void stop_tick();

/// Starts the second CPU, switches it off, and starts it again: on CPU 0.
bool start_second_cpu(uint64_t affinity);

/// Both CPUs call these at the same time; CPU 0 prints what came of it.
bool check_sgis();
bool check_flags(const char* name, Wait how, uint32_t rounds);

/// What a CPU found in its FP registers.
struct FpVerdict {
    uint32_t rounds = 0;
    int32_t bad = -1; ///< 0 to 31: v0 to v31, 32: FPCR, 33: FPSR, -1: all were right
    uint64_t expected = 0;
    uint64_t found = 0;
};
FpVerdict check_fp();
bool print_fp(unsigned cpu, const FpVerdict& verdict);

/// Set by the second CPU.
struct Second {
    std::atomic<uint32_t> arrivals;
    std::atomic<uint64_t> affinity;
    std::atomic<bool> without_gic;
    std::atomic<bool> fp_done;
    FpVerdict fp;
};
extern Second second;

/// Set by CPU 0: the second CPU is to switch itself off after its first arrival.
extern std::atomic<bool> second_may_leave;

} // namespace pair

#pragma GCC visibility pop
