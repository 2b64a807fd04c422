// SPDX-License-Identifier: MIT
// Owns what the device tree says of the machine this guest runs on.
#pragma once

#include "fdt.h"

namespace guest {

enum class PsciMethod : uint8_t { none, hvc, smc };

struct Machine {
    static constexpr uint32_t max_listed_cpus = 8;

    Range ram; ///< the bank that this image was loaded into
    uint32_t cpus = 0;
    uint64_t affinity[max_listed_cpus] = {};
    Range uart;
    uint32_t uart_intid = 0;
    bool uart_is_set_up = false; ///< an SBSA UART: a PL011 without the registers that set it up
    Range distributor;
    Range redistributors;
    uint32_t virtual_timer_intid = 0;
    uint32_t physical_timer_intid = 0;
    PsciMethod psci = PsciMethod::none;
    const char* bootargs = nullptr; ///< in the device tree, which must be in the mapped bank
    uint64_t entered_at = 0;        ///< CNTPCT at the first instruction
};

/// Filled before C++ proper starts; constant afterwards.
const Machine& machine();

/// Prints the facts, on lines `<guest>: dt …`.
void print_machine();

} // namespace guest
