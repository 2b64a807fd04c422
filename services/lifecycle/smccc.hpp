// SPDX-License-Identifier: MIT
// What SMCCC 1.1 (Arm DEN 0028) has beside PSCI: the CPU's workarounds, and the source of entropy (Arm DEN 0098, TRNG 1.0).
#pragma once
#include "services/lifecycle/port.hpp"
#include "services/lifecycle/system.hpp"

namespace lifecycle {

namespace smccc {
constexpr uint32_t version = 0x8000'0000, arch_features = 0x8000'0001, workaround_1 = 0x8000'8000, workaround_2 = 0x8000'7fff,
                   workaround_3 = 0x8000'3fff;
constexpr int64_t version_1_1 = 0x1'0001, not_needed_here = 1, success = 0, not_supported = -1, not_required = -2;
} // namespace smccc

namespace trng {
constexpr uint32_t version = 0x8400'0050, features = 0x8400'0051, get_uuid = 0x8400'0052, rnd32 = 0x8400'0053, rnd64 = 0xc400'0053;
constexpr int64_t success = 0, not_supported = -1, invalid_parameters = -2, no_entropy = -3;
} // namespace trng

/// SMCCC_ARCH_FEATURES of a function. Of a workaround it says what is known of this CPU: a guest that needs none, or that can have
/// none, does not call one at each of its own system calls.
int64_t arch_feature(Port& port, uint32_t function);
/// A call of a workaround: there is nothing to do where arch_feature() lets the guest call it. Any other function: not_supported.
int64_t serve_workaround(Port& port, uint32_t function);

constexpr bool is_trng(uint64_t function) { return (static_cast<uint32_t>(function) & 0xbfff'fff0) == trng::version; }
/// x0 to x3 of the caller of a TRNG function; `words` are its x0 and x1.
struct TrngAnswer {
    int64_t status = trng::success;
    uint64_t x1 = 0, x2 = 0, x3 = 0;
};
TrngAnswer serve_trng(Port& port, Vm const& vm, uint64_t const* words);

} // namespace lifecycle
