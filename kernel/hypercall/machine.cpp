// SPDX-License-Identifier: MIT
// Hypercall machine: its end, and what the cores have counted.
#include "boot/machine.hpp"
#include "hypercall/hypercall.hpp"

namespace bulkhead::hypercall {

Status machine(Core&, Vcpu& self, const Arguments& arguments, Target) {
    if (!self.partition->may_control_machine) { return Status::no_right; }
    constexpr auto statistics = static_cast<uint64_t>(abi::MachineOperation::statistics);
    if (arguments.x[0] == static_cast<uint64_t>(abi::MachineOperation::off)) { power_off(); }
    if (arguments.x[0] == static_cast<uint64_t>(abi::MachineOperation::reset)) { reset(); }
    if (arguments.x[0] != statistics || arguments.x[1] >= core_count) { return Status::bad_argument; }
    const Core& core = *cores[arguments.x[1]];
    self.context.x[1] = core.idle_ticks;
    self.context.x[2] = core.busy_ticks;
    self.context.x[3] = core.switches;
    self.context.x[4] = hw::read<hw::CtrEl0>().bits;
    return Status::ok;
}

} // namespace bulkhead::hypercall
