// SPDX-License-Identifier: MIT
// The workarounds by what the CPU says of itself, and random bits out of the CPU's own source.
#include "services/lifecycle/smccc.hpp"
#include "abi/message.hpp"
#include <algorithm>
#include <ranges>

namespace lifecycle {
namespace {

uint64_t id(Port& port, unsigned crm, unsigned op2) { return port.id_register(abi::sysreg(3, 0, 0, crm, op2)); }

/// Cortex-A35, A53, A55: they do not speculate as far as any of the three needs.
bool speculates_little(Port& port) {
    constexpr uint64_t arm = 0x41, parts[] = {0xd04, 0xd03, 0xd05};
    const uint64_t midr = id(port, 0, 0);
    return (midr >> 24 & 0xff) == arm && std::ranges::find(parts, midr >> 4 & 0xfff) != std::end(parts);
}

/// ID_AA64PFR0_EL1.CSV2: 1, branch targets of one context cannot be trained by another; 3, nor branch histories.
uint64_t csv2(Port& port) { return id(port, 4, 0) >> 56 & 15; }

int64_t unless(bool affected) { return affected ? smccc::not_supported : smccc::not_needed_here; }

/// Bits 0 to 191 of entropy, `count` of them; nothing if the source has none ready.
struct Entropy {
    uint64_t words[3] = {};
};
std::optional<Entropy> take(Port& port, uint64_t count) {
    Entropy entropy;
    for (uint64_t n = 0; n * 64 < count; ++n) {
        const auto word = port.entropy();
        if (!word) { return std::nullopt; }
        const uint64_t left = count - n * 64;
        entropy.words[n] = left < 64 ? *word & ((1ull << left) - 1) : *word;
    }
    return entropy;
}

TrngAnswer random(Port& port, uint64_t count, bool wide) {
    if (count == 0 || count > (wide ? 192 : 96)) { return {trng::invalid_parameters}; }
    const auto entropy = take(port, count);
    if (!entropy) { return {trng::no_entropy}; }
    auto const& bits = entropy->words;
    if (wide) { return {trng::success, bits[2], bits[1], bits[0]}; }
    constexpr uint64_t low = 0xffff'ffff;
    return {trng::success, bits[1] & low, bits[0] >> 32, bits[0] & low};
}

bool is_trng_function(uint32_t function) {
    constexpr uint32_t known[] = {trng::version, trng::features, trng::get_uuid, trng::rnd32, trng::rnd64};
    return std::ranges::find(known, function) != std::end(known);
}

} // namespace

int64_t arch_feature(Port& port, uint32_t function) {
    switch (function) {
    case smccc::version:
    case smccc::arch_features: return smccc::success;
    // CVE-2017-5715. An affected CPU's mitigation is its firmware's, which the core does not call for guests.
    case smccc::workaround_1: return unless(csv2(port) == 0 && !speculates_little(port));
    // CVE-2018-3639. With PSTATE.SSBS the guest helps itself.
    case smccc::workaround_2: return speculates_little(port) ? smccc::not_required : smccc::not_supported;
    case smccc::workaround_3: return unless(csv2(port) < 3 && !speculates_little(port)); // CVE-2022-23960
    default: return smccc::not_supported;
    }
}

int64_t serve_workaround(Port& port, uint32_t function) {
    const bool harmless = function == smccc::workaround_1 || function == smccc::workaround_3;
    return harmless && arch_feature(port, function) == smccc::not_needed_here ? smccc::success : smccc::not_supported;
}

TrngAnswer serve_trng(Port& port, Vm const& vm, uint64_t const* words) {
    constexpr uint64_t one_zero = 0x1'0000;
    const auto function = static_cast<uint32_t>(words[0]);
    if (!vm.extras.trng || !is_trng_function(function) || !has_entropy_source(port)) { return {trng::not_supported}; }
    switch (function) {
    case trng::version: return {one_zero};
    case trng::features: return {is_trng_function(static_cast<uint32_t>(words[1])) ? trng::success : trng::not_supported};
    case trng::get_uuid: return {0x2f6b'71c4, 0x4c1e'9d0a, 0xa3b5'0e8c, 0x5d92'f716}; // of this back end: the CPU's RNDRRS
    case trng::rnd32: return random(port, static_cast<uint32_t>(words[1]), false);
    default: return random(port, words[1], true);
    }
}

} // namespace lifecycle
