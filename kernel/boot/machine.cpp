// SPDX-License-Identifier: MIT
// PSCI calls to the firmware (Arm DEN 0022), and the machine's end.
#include "boot/machine.hpp"
#include "lib/log.hpp"

namespace bulkhead {

constexpr uint64_t psci_system_off = 0x8400'0008, psci_system_reset = 0x8400'0009;

[[noreturn]] static void firmware(uint64_t function) {
    hw::smc(function, 0, 0, 0);
    for (;;) { hw::wfi(); }
}

void power_off() { firmware(psci_system_off); }
void reset() { firmware(psci_system_reset); }

void refuse(const char* what, const char* name, uint64_t value, const char* mend) {
    LogLine("core", "error").field("what", what).field("name", name).hex("value", value).field("mend", mend);
    LogLine("machine", "off").field("reason", "error");
    power_off();
}

} // namespace bulkhead
