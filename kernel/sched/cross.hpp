// SPDX-License-Identifier: MIT
// What one core asks of another: every request is a flag in a vCPU's inbox and an inter-processor interrupt; nobody waits at EL2.
#pragma once
#include "sched/core.hpp"

namespace bulkhead {

/// Asks the vCPU's core for `requests` (namespace request); done at once if it is this core.
void ask(Core& core, Vcpu& vcpu, uint32_t requests);
/// True once the vCPU is off and its registers are in memory on its core; else asks for it: restart and try again.
bool stopped(Core& core, Vcpu& vcpu);
/// Every core has left EL2 since the ticket was drawn, so nobody holds a pointer to what was unlinked before. A zero ticket
/// is drawn anew. False: not yet; restart and try again.
bool quiescent(Core& core, uint64_t& ticket);

/// Sends every other core that runs an inter-processor interrupt.
void kick_others(Core& core);
/// What the inter-processor interrupt does: quiescence, parked accounts, one vCPU of the inbox. For the next one it interrupts itself.
void serve_inbox(Core& core);
/// Does `requests` to a vCPU of this core.
void serve_requests(Core& core, Vcpu& vcpu, uint32_t requests);

/// The end of the boot on every core. The last one takes the boot code [init, init_end) out of EL2's address space.
[[noreturn]] void begin_scheduling(Core& core, PhysAddr init, PhysAddr init_end);

} // namespace bulkhead
