// SPDX-License-Identifier: MIT
// Owns the switch between two VMs of one core. This one is busy and looks at the PMU; the other is busy, too; each has the core for
// a slice. What EL2 did between two looks with the other's slice in between is the way there and the way back.

#include "bench.h"

#include "print.h"
#include "timer.h"

namespace bench {

void spin(uint64_t us) {
    guest::Deadline end(us);
    while (!end.passed()) {}
}

void measure_turns() {
    constexpr uint32_t turns = 8, busy = 1000,
                       somebody_else = 100'000; // instructions: a slice of the other's is more, nothing else is
    constexpr uint64_t patience_us = 500'000;
    guest::Deadline late(patience_us);
    Samples samples;
    uint32_t seen = 0;
    for (Counted before = Counted::now(); samples.number < turns && !late.passed();) {
        for (uint32_t i = 0; i < busy; ++i) asm volatile("");
        Counted now = Counted::now(), gone = now - before;
        before = now;
        if (static_cast<uint32_t>(Pmevcntr1El0::read()) !=
            now.el2) { // in the middle of the look: the two counts do not belong together
            before = Counted::now();
            continue;
        }
        if (gone.all < somebody_else || ++seen <= 2) continue; // the first may find caches of the core's own empty
        samples.add({gone.el2 / 2, gone.el2 / 2});
    }
    if (samples.number < turns) return guest::print("error what=\"nobody took turns\" seen={}", seen);
    report_samples("switch", samples);
}

} // namespace bench
