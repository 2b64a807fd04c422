// SPDX-License-Identifier: MIT
// Crashes in the middle of chosen accesses to a data register, if a test wants that.
#include "services/uart/crash.hpp"

namespace uart {
namespace {

struct Crash {
    CrashState* state = nullptr;
    uint64_t at = 0;
    pl011::Point point = pl011::Point::transmit;
    bool after = false;
};
constinit Crash crash;

void probe(pl011::Point point, bool committed) {
    if (point != crash.point) { return; }
    auto& state = *crash.state;
    if (!committed) { __atomic_add_fetch(&state.accesses, 1, __ATOMIC_RELAXED); }
    if (state.accesses < crash.at || committed != crash.after) { return; }
    __atomic_add_fetch(&state.crashes, 1, __ATOMIC_RELAXED);
    uintptr_t nothing_is_mapped_here = 0x10;
    asm volatile("" : "+r"(nothing_is_mapped_here)::"memory");
    *reinterpret_cast<volatile uint32_t*>(nothing_is_mapped_here) = 0;
}

} // namespace

pl011::Pl011::Probe arm_crash(service::Environment const& environment, CrashState& state) {
    uint64_t const every = environment.property_or("property.fault_at", 0);
    if (every == 0 || state.crashes >= environment.property_or("property.fault_times", 1)) { return nullptr; }
    auto const point = environment.string_or("property.fault_point", "before");
    bool const read = environment.string_or("property.fault_access", "write") == "read";
    crash = {&state, every * (state.crashes + 1), read ? pl011::Point::receive : pl011::Point::transmit,
             point == "after" || (point == "both" && state.crashes % 2 == 1)};
    return probe;
}

} // namespace uart
