// SPDX-License-Identifier: MIT
// Owns the PMU, and the lines that the harness reads.

#include "bench.h"

#include "print.h"

namespace bench {

constinit bool has_pmu = false;

namespace {

constexpr uint64_t inst_retired = 0x08;
constexpr uint64_t not_el1 = 1u << 31, not_el0 = 1u << 30, also_el2 = 1u << 27;
constexpr uint64_t enable = 1 << 0, reset_events = 1 << 1;

} // namespace

bool start_pmu() {
    uint64_t version = IdAa64dfr0El1::read() >> 8 & 0xf;
    if (version == 0 || version == 0xf) return false;
    if ((PmcrEl0::read() >> 11 & 0x1f) < 2 || !(Pmceid0El0::read() >> inst_retired & 1)) return false;
    Pmevtyper0El0::write(inst_retired | also_el2);
    Pmevtyper1El0::write(inst_retired | also_el2 | not_el1 | not_el0);
    PmcntensetEl0::write(3);
    PmcrEl0::write(enable | reset_events);
    guest::isb();
    return true;
}

void Samples::add(uint32_t all, uint32_t at_el2) {
    if (all < least) least = all;
    if (all > most) most = all;
    sum += all;
    el2 += at_el2;
    ++number;
}

void report(const char* name, uint64_t ticks, const Samples& samples) {
    if (samples.number == 0) return guest::print("op name={} rounds={} ticks={}", name, rounds, ticks);
    guest::print("op name={} rounds={} ticks={} least={} most={} sum={} el2={}", name, rounds, ticks, samples.least, samples.most,
                 samples.sum, samples.el2);
}

void report_samples(const char* name, const Samples& samples) {
    guest::print("op name={} rounds={} least={} most={} sum={} el2={}", name, samples.number, samples.least, samples.most,
                 samples.sum, samples.el2);
}

} // namespace bench
