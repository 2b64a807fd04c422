// SPDX-License-Identifier: MIT
// What a VM's description can give it beyond what all VMs have, and whether the CPU has it to give.
#pragma once
#include "services/lifecycle/port.hpp"

namespace lifecycle {

struct Extras {
    bool pmu = false;  ///< the PMU: its own, or the machine's
    bool pac = false;  ///< pointer authentication
    bool trng = false; ///< TRNG calls
};

struct Extra {
    std::string_view key; ///< of the description
    bool Extras::*given;
    std::string_view feature; ///< that the CPU must have
    bool (*there)(Port&);
};
/// All of them.
std::span<Extra const> all_extras();
bool has_entropy_source(Port& port);

} // namespace lifecycle
