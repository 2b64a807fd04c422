// SPDX-License-Identifier: MIT
// A test's wish that the service crash in the middle of its work: each time that a `Point` has been passed `property.fault_at` times
// more, `property.fault_times` times (default: once). `property.fault_point`: "copied", "sent", "committed", "told", or "each" by
// turns; `property.fault_queue`: "receive", else transmit.
#pragma once
#include "services/lib/environment.hpp"
#include "services/virtio-console/console.hpp"

namespace virtio_console {

/// In the state region.
struct CrashState {
    uint64_t passed;
    uint64_t crashes;
};

/// The probe to give to the models; nullptr if no test wants a crash or they have happened.
Console::Probe arm_crash(service::Environment const& environment, CrashState& state);

} // namespace virtio_console
