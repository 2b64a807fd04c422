// SPDX-License-Identifier: MIT
// What interrupts ask of the scheduler and of IPC, written down for the tests.
#include "interrupt_world.hpp"
#include "ipc/ipc.hpp"

namespace bulkhead {

void ask(Core& core, Vcpu& vcpu, uint32_t) {
    if (cores[vcpu.core] != &core) {
        test::inbox.push_back(&vcpu);
        return;
    }
    answer_interrupt_request(core, vcpu);
    if (vcpu.state == VcpuState::waiting && deliverable(vcpu)) { test::woken.push_back(&vcpu); }
}

Vcpu* schedule(Core& core) { return core.current; }
void notify(Core&, Notification& notification, uint64_t bits) { test::signalled.emplace_back(&notification, bits); }

bool quiescent(Core&, uint64_t&) { return true; }

} // namespace bulkhead
