// SPDX-License-Identifier: MIT
// Crashes at chosen points of the work on a queue, if a test wants that.
#include "services/virtio-console/crash.hpp"
#include <iterator>

namespace virtio_console {
namespace {

constexpr std::string_view points[] = {"copied", "sent", "committed", "told"}; // in Point's order

struct Crash {
    CrashState* state = nullptr;
    uint64_t at = 0;
    uint32_t queue = transmitq;
    Point point = Point::copied;
};
constinit Crash crash;

void probe(uint32_t queue, Point point) {
    if (queue != crash.queue || point != crash.point) { return; }
    auto& state = *crash.state;
    if (__atomic_add_fetch(&state.passed, 1, __ATOMIC_RELAXED) < crash.at) { return; }
    __atomic_add_fetch(&state.crashes, 1, __ATOMIC_RELAXED);
    uintptr_t nothing_is_mapped_here = 0x10;
    asm volatile("" : "+r"(nothing_is_mapped_here)::"memory");
    *reinterpret_cast<volatile uint32_t*>(nothing_is_mapped_here) = 0;
}

} // namespace

Console::Probe arm_crash(service::Environment const& environment, CrashState& state) {
    uint64_t const every = environment.property_or("property.fault_at", 0);
    if (every == 0 || state.crashes >= environment.property_or("property.fault_times", 1)) { return nullptr; }
    auto const wanted = environment.string_or("property.fault_point", "copied");
    bool const receive = environment.string_or("property.fault_queue", "transmit") == "receive";
    crash = {&state, every * (state.crashes + 1), receive ? receiveq : transmitq,
             static_cast<Point>(state.crashes % std::size(points))};
    for (unsigned n = 0; n < std::size(points); ++n) {
        if (wanted == points[n]) { crash.point = static_cast<Point>(n); }
    }
    return probe;
}

} // namespace virtio_console
