// SPDX-License-Identifier: MIT
// Writes log lines into the partition's log ring.
#include "services/lib/log.hpp"
#include "services/lib/cpu.hpp"
#include "services/lib/environment.hpp"
#include "services/lib/hypercall.hpp"
#include "services/lib/start.hpp"

namespace service {
namespace {

struct Log {
    SpinLock lock;
    RingProducer ring;
    std::string_view name;
    Handle notify = 0;
    uint64_t signal = 0;
    uint32_t dropped = 0;
};
constinit Log state;

/// Called with the lock held.
bool write(LogLine const& line, Wake& wake) {
    auto const text = line.view();
    uint32_t const size = static_cast<uint32_t>(text.size());
    if (size + 1 > state.ring.free()) { return false; }
    uint32_t position = state.ring.head();
    for (char character : text) { state.ring.store(position++, static_cast<uint8_t>(character)); }
    state.ring.store(position++, '\n');
    if (state.ring.publish(position) == Wake::yes) { wake = Wake::yes; }
    return true;
}

bool write_dropped(Wake& wake) {
    uint32_t const dropped = __atomic_load_n(&state.dropped, __ATOMIC_RELAXED);
    if (dropped == 0) { return true; }
    if (!write(format_log_line(now_us(), state.name, "log.dropped", {{"n", dropped}}), wake)) { return false; }
    __atomic_fetch_sub(&state.dropped, dropped, __ATOMIC_RELAXED);
    return true;
}

bool write_locked(std::string_view source, std::string_view event, std::initializer_list<Field> fields, Wake& wake) {
    Guard guard{state.lock};
    return guard && write_dropped(wake) && write(format_log_line(now_us(), source, event, fields), wake);
}

} // namespace

void start_log(Environment const& environment) {
    state.name = environment.string_or("name", "?");
    if (auto const region = environment.region_or_none("log"); region.address != nullptr) {
        state.ring = RingProducer(region.address, region.size);
    }
    state.notify = environment.handle_or_none("console.notify");
    state.signal = 1ull << (environment.property_or("log.signal", 0) & 63);
}

void log_as(std::string_view source, std::string_view event, std::initializer_list<Field> fields) {
    if (!state.ring.valid()) { return; }
    Wake wake = Wake::no;
    if (!write_locked(source, event, fields, wake)) { __atomic_fetch_add(&state.dropped, 1, __ATOMIC_RELAXED); }
    if (wake == Wake::yes && state.notify != 0) { signal(state.notify, state.signal); }
}

void log(std::string_view event, std::initializer_list<Field> fields) { log_as(state.name, event, fields); }

} // namespace service
