// SPDX-License-Identifier: MIT
// What the start code and the serve loop say to each other; a service needs nothing of it.
#pragma once
#include "services/lib/environment.hpp"

namespace service {

/// A vCPU's part of the serve loop; it never returns.
using Loop = void (*)();

/// Lets the other vCPUs, which wait in the start code, into the loop.
void publish_loop(Loop loop);

void start_log(Environment const& environment);

} // namespace service
