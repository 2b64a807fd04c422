// SPDX-License-Identifier: MIT
// Owns how the benchmark guest counts: ticks of CNTVCT over many rounds, and instructions of each round where there is a PMU.
#pragma once

#include "cpu.h"
#include "pmu.h"

#include <cstdint>

#pragma GCC visibility push(hidden) // no GOT, so no relocations

namespace bench {

constexpr uint32_t rounds = 256, warm_up = 8;
constexpr uint32_t instructions_per_tick = 16; ///< in QEMU with -icount shift=0 and a counter of 62.5 MHz

extern bool has_pmu;
bool start_pmu();

/// One line for the harness (docs/benchmark.md): `op name=... rounds=... ticks=...`, with a PMU also `least= most= sum= el2=`.
void report(const char* name, uint64_t ticks, const Samples& samples);
/// The same for what only single rounds tell.
void report_samples(const char* name, const Samples& samples);

template <typename Operation> uint64_t ticks_of(Operation operation) {
    for (uint32_t i = 0; i < warm_up; ++i) operation();
    guest::isb();
    uint64_t begin = guest::CntvctEl0::read();
    for (uint32_t i = 0; i < rounds; ++i) operation();
    guest::isb();
    return guest::CntvctEl0::read() - begin;
}

inline void nothing() { asm volatile("nop"); }

/// What a round shows in which nothing happens.
inline Counted empty_round() { return has_pmu ? samples_of(rounds, nothing).mean() : Counted{}; }

/// Measures and reports; `empty` is what would happen in a round if the operation cost nothing.
template <typename Operation, typename Empty> void measure(const char* name, Operation operation, Empty empty) {
    uint64_t ticks_empty = ticks_of(empty);
    uint64_t ticks = ticks_of(operation);
    Samples samples;
    if (has_pmu) samples = samples_of(rounds, operation, samples_of(rounds, empty).mean());
    report(name, ticks - ticks_empty, samples);
}

template <typename Operation> void measure(const char* name, Operation operation) { measure(name, operation, nothing); }

/// CNTV's deadline while the guest is busy, and the end of that interrupt.
void measure_deadline();
/// On CPU 0: starts the other CPU, which then is the receiver.
void measure_sgi();
/// Another VM of this core is as busy as this one: what a switch between them costs.
void measure_turns();
/// Is busy for so long.
void spin(uint64_t us);

} // namespace bench

#pragma GCC visibility pop
