// SPDX-License-Identifier: MIT
// What lifecycle asks of every service that keeps state per VM (uart, timer, gic): reset it, or tell it of a pause.
// Sent to the service's endpoint with the badge control_badge; word 0 is the client index, which is also the badge of that
// VM's own messages. Reply label: abi::Status (ok; bad_argument: no such client; denied: another badge).
#pragma once
#include <cstdint>

namespace abi::client {

constexpr uint64_t control_badge = 0x8000'0000;

enum class Label : uint16_t {
    reset = 1,  ///< the VM starts afresh: its device state is as after power-on. Its vCPUs are off; word 1: 0 if they never ran
    pause = 2,  ///< the VM's vCPUs have just been paused; word 1: CNTPCT at that time
    resume = 3, ///< the VM's vCPUs are about to be resumed
};

} // namespace abi::client
