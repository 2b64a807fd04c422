// SPDX-License-Identifier: MIT
// Physical interrupt lines: to which object each belongs, and the way of an interrupt to a
// notification or a VM.
#pragma once
#include "irq/virtual.hpp"

namespace bulkhead {

/// An Interrupt object (intid, core, edge are set) now owns its line: configured, masked. False: no
/// such SPI.
bool own_line(Slot& slot);

/// Its interrupts become signals of a notification / a VM's virtual interrupt `intid`; unmasked.
/// The caller holds `mutation`.
void bind_to_notification(Core& core, Interrupt& interrupt, ObjectRef notification, unsigned signal);
/// bad_state: another physical interrupt is linked to that virtual one; bad_argument: no such SPI.
Status bind_to_vm(Core& core, Interrupt& interrupt, ObjectRef vm, uint64_t intid);
/// The notification's server is done with it: it may fire again.
void acknowledge(Interrupt& interrupt);

} // namespace bulkhead
