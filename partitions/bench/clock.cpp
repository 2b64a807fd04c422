// SPDX-License-Identifier: MIT
// Owns the PMU, and the lines that the harness reads.

#include "bench.h"

#include "print.h"

namespace bench {

constinit bool has_pmu = false;

bool start_pmu() {
    uint64_t version = IdAa64dfr0El1::read() >> 8 & 0xf;
    return version != 0 && version != 0xf && start_counters();
}

void report(const char* name, uint64_t ticks, const Samples& samples) {
    if (samples.number == 0) return guest::print("op name={} rounds={} ticks={}", name, rounds, ticks);
    guest::print("op name={} rounds={} ticks={} least={} most={} sum={} el2={}", name, rounds, ticks, samples.least, samples.most,
                 samples.sum, samples.el2);
}

void report_samples(const char* name, const Samples& samples) {
    if (!has_pmu) return guest::print("op name={} rounds={} ticks={}", name, samples.number, samples.sum / instructions_per_tick);
    guest::print("op name={} rounds={} least={} most={} sum={} el2={}", name, samples.number, samples.least, samples.most,
                 samples.sum, samples.el2);
}

} // namespace bench
