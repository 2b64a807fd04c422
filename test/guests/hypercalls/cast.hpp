// SPDX-License-Identifier: MIT
// The objects that the checks of hypercalls are made on, one of each type.
#pragma once
#include "test/guests/native/crew.hpp"

namespace test {

constexpr uint64_t page = 4096;

struct Cast {
    Handle partition; ///< a native one, a crew's
    Handle vcpu;      ///< of it, off
    Handle memory;    ///< two pages, not mapped, donatable
    Handle endpoint, notification, interrupt;
    Handle vm, vm_vcpu; ///< vCPU 0, off
    Handle vm_lines;    ///< the same VM, minted for INTIDs 40..50
    Handle stale;       ///< named an endpoint that is gone
};

inline constinit Cast cast{};

/// The same object with fewer rights, in a slot of its own; drop() it.
Handle weaker(Handle handle, uint16_t rights);
template <typename Operation> Status with_rights(Handle handle, uint16_t rights, Operation operation) {
    Handle const weak = weaker(handle, rights);
    Status const status = operation(weak);
    drop(weak);
    give_slot(weak);
    return status;
}

/// signal_recv, whose deadline has passed.
inline Status signal_now(Handle notification, uint64_t set) {
    auto const m = signal_and_receive(notification, set, now());
    return m.tag.kind() == abi::Kind::refused ? static_cast<Status>(m.badge) : Status::ok;
}

void check_good();
void check_handles();
void check_arguments();
void check_registers();

} // namespace test
