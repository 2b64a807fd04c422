// SPDX-License-Identifier: MIT
// Owns what every guest does first: UART, GIC and this CPU ready for use.
#pragma once

namespace guest {

/// On CPU 0, at the start of guest_main: polled output works, the GIC is on, interrupts unmasked.
/// False, with a line that says why, if the machine lacks what a guest needs.
bool start_machine();

/// On any other CPU: gives it its index and its GIC interface, unmasks interrupts.
bool start_secondary(unsigned index);

} // namespace guest
