// SPDX-License-Identifier: MIT
// The gates, in rows like abi::Hypercall.
#include "hypercall/gate.hpp"

namespace bulkhead {

namespace right = abi::right;
using enum abi::ObjectType;

const Gate hypercall_gates[] = {
    {},
    {endpoint, false, right::call},
    {},
    {notification, false, right::signal},
    {partition, true, right::delegate},
    {none, true, 0}, // drop: x0 may be stale
    {memory, true, right::derive},
    {memory, true, right::derive},
    {partition, true, right::map_into},
    {memory, true, right::map_memory},
    {partition, true, right::map_into},
    {none, true, 0}, // create
    {none, true, 0}, // destroy: what x0 names may be dying
    {endpoint, true, right::serve},
    {vcpu, true, right::control},
    {vcpu, false, right::inspect},
    {vcpu, false, 0}, // vcpu_write: by register
    {vcpu, false, right::control},
    {partition, false, 0}, // interrupt_line: by capability
    {partition, false, right::configure_interrupts},
    {interrupt, true, right::bind},
    {interrupt, false, right::acknowledge},
    {},
    {partition, true, right::map_into},
};

} // namespace bulkhead
