// SPDX-License-Identifier: MIT
// Owns what the parts of this guest share: its two timers, its checks and its shell.
#pragma once

#include "timer.h"

#pragma GCC visibility push(hidden) // no GOT, so no relocations

namespace ticker {

extern guest::Timer virtual_timer;
extern guest::Timer physical_timer;

/// Each prints its lines and says whether it passed.
bool check_exclusives();
bool check_uart_output();
bool check_timers();

/// Ticks once a second and serves what is typed, for ever.
[[noreturn]] void run_shell();

} // namespace ticker

#pragma GCC visibility pop
