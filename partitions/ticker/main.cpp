// SPDX-License-Identifier: MIT
// Owns the ticker guest: one CPU that checks its UART, its timers and WFI, then ticks and echoes.

#include "cpu.h"
#include "guest.h"
#include "print.h"
#include "ticker.h"

extern "C" const char guest_name[] = "ticker";

extern "C" void guest_main() {
    if (!guest::start_machine()) return;
    bool good = ticker::check_exclusives();
    good &= ticker::check_uart_output();
    good &= ticker::check_timers();
    guest::print(good ? "ready" : "ready, but checks FAILED");
    ticker::run_shell();
}
