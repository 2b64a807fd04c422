// SPDX-License-Identifier: MIT
// Owns the switch between two VMs of one core: this one is busy and looks at the PMU, the other is busy; each has the core for a
// slice. What EL2 did between two looks is the way there and the way back.

#include "bench.h"

#include "print.h"
#include "timer.h"

namespace bench {

void spin(uint64_t us) {
    guest::Deadline end(us);
    while (!end.passed()) {}
}

void measure_turns() {
    constexpr uint32_t turns = 8, a_switch = 100;
    constexpr uint64_t patience_us = 500'000;
    guest::Deadline late(patience_us);
    Samples samples;
    uint32_t before = Counted::now().el2, seen = 0;
    while (seen < turns + 2 && !late.passed()) {
        uint32_t now = Counted::now().el2, there_and_back = now - before;
        before = now;
        if (there_and_back < a_switch || ++seen <= 2) continue; // the first two also wake who has never run
        samples.add(there_and_back / 2, there_and_back / 2);
    }
    if (samples.number < turns) return guest::print("error what=\"nobody took turns\" seen={}", samples.number);
    report_samples("switch", samples);
}

} // namespace bench
