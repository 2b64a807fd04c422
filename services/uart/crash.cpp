// SPDX-License-Identifier: MIT
// Crashes at the N-th write to a data register, if a test wants that.
#include "services/uart/crash.hpp"

namespace uart {
namespace {

struct Crash {
    CrashState* state = nullptr;
    uint64_t at = 0;
    bool after = false;
};
constinit Crash crash;

void probe(bool committed) {
    auto& state = *crash.state;
    if (!committed) { __atomic_add_fetch(&state.writes, 1, __ATOMIC_RELAXED); }
    if (state.writes != crash.at || state.crashed != 0 || committed != crash.after) { return; }
    state.crashed = 1;
    uintptr_t nothing_is_mapped_here = 0x10;
    asm volatile("" : "+r"(nothing_is_mapped_here)::"memory");
    *reinterpret_cast<volatile uint32_t*>(nothing_is_mapped_here) = 0;
}

} // namespace

pl011::Pl011::Probe arm_crash(service::Environment const& environment, CrashState& state) {
    uint64_t const at = environment.property_or("property.fault_at", 0);
    if (at == 0 || state.crashed != 0) { return nullptr; }
    crash = {&state, at, environment.string_or("property.fault_point", "before") == "after"};
    return probe;
}

} // namespace uart
