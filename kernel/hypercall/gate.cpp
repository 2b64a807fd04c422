// SPDX-License-Identifier: MIT
// The gates, in rows like abi::Hypercall; call looks by itself. Of drop and destroy, x0 may name what is gone or going; of vcpu_write and interrupt_line,
// the right depends on what is asked for.
#include "hypercall/gate.hpp"

namespace bulkhead {

namespace right = abi::right;
using enum abi::ObjectType;

// clang-format off
const Gate hypercall_gates[] = {
    {}, {}, {}, {notification, false, right::signal},
    {partition, true, right::delegate}, {none, true, 0}, {memory, true, right::derive}, {memory, true, right::derive},
    {partition, true, right::map_into}, {memory, true, right::map_memory}, {partition, true, right::map_into},
    {none, true, 0}, {none, true, 0}, {endpoint, true, right::serve},
    {vcpu, true, right::control}, {vcpu, false, right::inspect}, {vcpu, false, 0}, {vcpu, true, right::control},
    {partition, false, 0}, {partition, false, right::configure_interrupts},
    {interrupt, true, right::bind}, {interrupt, false, right::acknowledge}, {}, {partition, true, right::map_into},
    {notification, false, right::signal}};
// clang-format on

} // namespace bulkhead
