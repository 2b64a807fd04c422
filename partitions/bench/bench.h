// SPDX-License-Identifier: MIT
// Owns how the benchmark guest counts: ticks of CNTVCT over many rounds, and instructions by the PMU where there is one.
#pragma once

#include "cpu.h"

#include <cstdint>

#pragma GCC visibility push(hidden) // no GOT, so no relocations

namespace bench {

constexpr uint32_t rounds = 256, warm_up = 8;

SYSTEM_REGISTER(IdAa64dfr0El1, "id_aa64dfr0_el1")
SYSTEM_REGISTER(PmcrEl0, "pmcr_el0")
SYSTEM_REGISTER(Pmceid0El0, "pmceid0_el0")
SYSTEM_REGISTER(PmcntensetEl0, "pmcntenset_el0")
SYSTEM_REGISTER(Pmevtyper0El0, "pmevtyper0_el0")
SYSTEM_REGISTER(Pmevtyper1El0, "pmevtyper1_el0")
SYSTEM_REGISTER(Pmevcntr0El0, "pmevcntr0_el0")
SYSTEM_REGISTER(Pmevcntr1El0, "pmevcntr1_el0")

/// True if this CPU's PMU counts retired instructions, counter 0 all of them and counter 1 those at EL2; starts both.
bool start_pmu();
extern bool has_pmu;

/// What the counters show. They have 32 bits: only differences mean anything.
struct Counted {
    uint32_t all = 0, el2 = 0;
    static Counted now() {
        guest::isb();
        return {static_cast<uint32_t>(Pmevcntr0El0::read()), static_cast<uint32_t>(Pmevcntr1El0::read())};
    }
};

/// The counts of single rounds, without what the counting itself costs.
struct Samples {
    uint32_t least = ~0u, most = 0, number = 0;
    uint64_t sum = 0, el2 = 0;
    void add(uint32_t all, uint32_t at_el2);
};

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

/// Counts each round; `itself` is what an empty round shows.
template <typename Operation> Samples samples_of(Operation operation, Counted itself = {}) {
    Samples samples;
    for (uint32_t i = 0; i < rounds; ++i) {
        Counted begin = Counted::now();
        operation();
        Counted end = Counted::now();
        samples.add(end.all - begin.all - itself.all, end.el2 - begin.el2 - itself.el2);
    }
    return samples;
}

inline void nothing() { asm volatile("nop"); }

/// Measures and reports; `empty` is what would happen in a round if the operation cost nothing.
template <typename Operation, typename Empty> void measure(const char* name, Operation operation, Empty empty) {
    uint64_t ticks_empty = ticks_of(empty);
    uint64_t ticks = ticks_of(operation);
    Samples samples;
    if (has_pmu) {
        Samples none = samples_of(empty);
        samples =
            samples_of(operation, {static_cast<uint32_t>(none.sum / none.number), static_cast<uint32_t>(none.el2 / none.number)});
    }
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
