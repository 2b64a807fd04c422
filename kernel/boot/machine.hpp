// SPDX-License-Identifier: MIT
// The machine's end and its firmware: PSCI by SMC.
#pragma once
#include "hw.hpp"

namespace bulkhead {

[[noreturn]] void power_off();
[[noreturn]] void reset();
/// The image or the machine is not what the core needs: says so on the PL011 (`what`, `mend`: quoted) and powers off.
[[noreturn]] void refuse(const char* what, const char* name, uint64_t value, const char* mend = "\"pack the image again\"");

} // namespace bulkhead
