// SPDX-License-Identifier: MIT
// Owns counting by the PMU, in guests and in native partitions: retired instructions, all of them and those at EL2.
#pragma once

#include <cstdint>

namespace bench {

#define PMU_REGISTER(Name, name)                                                                                                   \
    struct Name {                                                                                                                  \
        static uint64_t read() {                                                                                                   \
            uint64_t value;                                                                                                        \
            asm volatile("mrs %0, " name : "=r"(value) : : "memory");                                                              \
            return value;                                                                                                          \
        }                                                                                                                          \
        static void write(uint64_t value) { asm volatile("msr " name ", %0" : : "r"(value) : "memory"); }                          \
    };

PMU_REGISTER(IdAa64dfr0El1, "id_aa64dfr0_el1")
PMU_REGISTER(PmcrEl0, "pmcr_el0")
PMU_REGISTER(Pmceid0El0, "pmceid0_el0")
PMU_REGISTER(PmcntensetEl0, "pmcntenset_el0")
PMU_REGISTER(Pmevtyper0El0, "pmevtyper0_el0")
PMU_REGISTER(Pmevtyper1El0, "pmevtyper1_el0")
PMU_REGISTER(Pmevcntr0El0, "pmevcntr0_el0")
PMU_REGISTER(Pmevcntr1El0, "pmevcntr1_el0")

/// Starts counter 0, for instructions at all levels, and counter 1, for those at EL2. False if this PMU cannot.
inline bool start_counters() {
    constexpr uint64_t inst_retired = 0x08, not_el1 = 1u << 31, not_el0 = 1u << 30, also_el2 = 1u << 27;
    constexpr uint64_t enable = 1 << 0, reset_events = 1 << 1;
    if ((PmcrEl0::read() >> 11 & 0x1f) < 2 || !(Pmceid0El0::read() >> inst_retired & 1)) return false;
    Pmevtyper0El0::write(inst_retired | also_el2);
    Pmevtyper1El0::write(inst_retired | also_el2 | not_el1 | not_el0);
    PmcntensetEl0::write(3);
    PmcrEl0::write(enable | reset_events);
    asm volatile("isb" : : : "memory");
    return true;
}

/// What the counters show. They have 32 bits: only differences mean anything.
struct Counted {
    uint32_t all = 0, el2 = 0;
    [[gnu::always_inline]] static Counted now() {
        asm volatile("isb" : : : "memory");
        return {static_cast<uint32_t>(Pmevcntr0El0::read()), static_cast<uint32_t>(Pmevcntr1El0::read())};
    }
    Counted operator-(Counted before) const { return {all - before.all, el2 - before.el2}; }
};

/// The counts of single rounds.
struct Samples {
    uint32_t least = ~0u, most = 0, number = 0;
    uint64_t sum = 0, el2 = 0;

    void add(Counted round) {
        if (round.all < least) least = round.all;
        if (round.all > most) most = round.all;
        sum += round.all;
        el2 += round.el2;
        ++number;
    }
    Counted mean() const { return {static_cast<uint32_t>(sum / number), static_cast<uint32_t>(el2 / number)}; }
};

/// Counts each round; `itself`, what an empty round shows, is subtracted.
template <typename Operation> Samples samples_of(uint32_t rounds, Operation operation, Counted itself = {}) {
    Samples samples;
    for (uint32_t i = 0; i < rounds; ++i) {
        Counted begin = Counted::now();
        operation();
        Counted end = Counted::now();
        samples.add(end - begin - itself);
    }
    return samples;
}

} // namespace bench
