// SPDX-License-Identifier: MIT
// Owns the check that preemption leaves v0-v31, FPCR and FPSR as this CPU set them.

#include "pair.h"

#include "print.h"

namespace pair {

using namespace guest;

namespace {

constexpr uint32_t rounds = 40;
constexpr uint64_t round_us = 10'000;
constexpr uint64_t tick_us = 1'000;

/// Shared with fp.S.
struct alignas(16) FpState {
    uint64_t v[32][2];
    uint64_t fpcr;
    uint64_t fpsr;
};

constexpr uint64_t fpcr_bits = 0x07c0'0000; // AHP, DN, FZ, RMode
constexpr uint64_t fpsr_bits = 0x0800'009f; // QC and the cumulative exceptions

/// A different number for every CPU, round and register half (splitmix64).
uint64_t pattern(unsigned cpu, uint32_t round, uint32_t half) {
    uint64_t z = (uint64_t{cpu} << 48 | uint64_t{round} << 16 | half) * 0x9e37'79b9'7f4a'7c15;
    z = (z ^ z >> 30) * 0xbf58'476d'1ce4'e5b9;
    z = (z ^ z >> 27) * 0x94d0'49bb'1331'11eb;
    return z ^ z >> 31;
}

void fill(FpState& state, unsigned cpu, uint32_t round) {
    for (uint32_t i = 0; i < 64; ++i) state.v[i / 2][i % 2] = pattern(cpu, round, i);
    state.fpcr = pattern(cpu, round, 64) & fpcr_bits;
    state.fpsr = pattern(cpu, round, 65) & fpsr_bits;
}

void judge(const FpState& expected, const FpState& found, FpVerdict& verdict) {
    auto differs = [&](int32_t which, uint64_t want, uint64_t have) {
        if (want == have || verdict.bad >= 0) return;
        verdict.bad = which;
        verdict.expected = want;
        verdict.found = have;
    };
    for (int32_t i = 0; i < 32; ++i) {
        differs(i, expected.v[i][0], found.v[i][0]);
        differs(i, expected.v[i][1], found.v[i][1]);
    }
    differs(32, expected.fpcr, found.fpcr);
    differs(33, expected.fpsr, found.fpsr);
}

constinit FpState wanted[max_cpus], seen[max_cpus];

} // namespace

/// Loads the registers, waits until CNTVCT reaches `end` (asleep between interrupts, or not), and
/// stores them.
extern "C" void fp_hold(const FpState* load, FpState* store, uint64_t end, bool asleep);

FpVerdict check_fp() {
    FpVerdict verdict;
    FpState &want = wanted[this_cpu()], &have = seen[this_cpu()];
    start_tick(tick_us);
    while (verdict.rounds < rounds && verdict.bad < 0) {
        fill(want, this_cpu(), verdict.rounds);
        bool asleep = verdict.rounds % 2;
        fp_hold(&want, &have, CntvctEl0::read() + micros_to_ticks(round_us), asleep);
        judge(want, have, verdict);
        ++verdict.rounds;
    }
    stop_tick();
    return verdict;
}

bool print_fp(unsigned cpu, const FpVerdict& verdict) {
    if (verdict.bad < 0) {
        print("cpu{} fp: ok rounds={}", cpu, verdict.rounds);
        return true;
    }
    const char* name = verdict.bad == 32 ? "fpcr" : verdict.bad == 33 ? "fpsr" : "v";
    if (verdict.bad < 32)
        print("cpu{} fp: corrupted v{} FAILED in round {}: expected {x}, found {x}", cpu, verdict.bad, verdict.rounds,
              verdict.expected, verdict.found);
    else
        print("cpu{} fp: corrupted {} FAILED in round {}: expected {x}, found {x}", cpu, name, verdict.rounds, verdict.expected,
              verdict.found);
    return false;
}

} // namespace pair
