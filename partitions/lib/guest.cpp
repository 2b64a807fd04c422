// SPDX-License-Identifier: MIT
// Owns what every guest does first: UART, GIC and this CPU ready for use.

#include "guest.h"

#include "cpu.h"
#include "gic.h"
#include "machine.h"
#include "pl011.h"
#include "print.h"

namespace guest {

bool start_machine() {
    TpidrEl1::write(0);
    const Machine& m = machine();
    if (m.uart.size) uart().start(m.uart.base, m.uart_is_set_up);
    print("hello entered_at={}", m.entered_at);
    print_machine();
    if (!m.distributor.size || !m.redistributors.size) {
        print("gic: FAILED, the device tree names no GICv3");
        return false;
    }
    gic().start_distributor(m.distributor.base);
    if (!gic().start_cpu(m.redistributors.base, m.redistributors.size)) {
        print("gic: FAILED, no redistributor has this CPU's affinity");
        return false;
    }
    unmask_interrupts();
    print("gic ok");
    return true;
}

bool start_secondary(unsigned index) {
    TpidrEl1::write(index);
    const Range& frames = machine().redistributors;
    if (!gic().start_cpu(frames.base, frames.size)) return false;
    unmask_interrupts();
    return true;
}

/// What a guest of one CPU has for its second.
extern "C" [[gnu::weak]] void secondary_main() {}

} // namespace guest
