// SPDX-License-Identifier: MIT
// The step from booting to scheduling: not itself boot code, which it takes out of EL2's address space.
#include "boot/handover.hpp"
#include "mm/el2_map.hpp"
#include "sched/cross.hpp"
#include "sched/scheduler.hpp"

namespace bulkhead {

extern "C" [[noreturn]] void enter(Vcpu* vcpu); // entry/vectors.S

void begin_scheduling(Core& core, PhysAddr init, PhysAddr init_end) {
    core.online.store(true, std::memory_order_release);
    for (uint32_t i = 0; i < core_count && init < init_end; ++i) {
        while (!cores[i]->online.load(std::memory_order_acquire)) { hw::yield(); }
    }
    for (; init < init_end; init = init + page_size) { el2_map::unmap(init); }
    serve_inbox(core); // requests made before this core was online sent no interrupt
    enter(schedule(core));
}

} // namespace bulkhead
