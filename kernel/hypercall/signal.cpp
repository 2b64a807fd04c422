// SPDX-License-Identifier: MIT
// Hypercall signal.
#include "hypercall/hypercall.hpp"
#include "ipc/ipc.hpp"

namespace bulkhead::hypercall {

Status signal(Core& core, Vcpu& self, const Arguments& arguments) {
    auto notification = TRY(self.partition->lookup<Notification>(arguments.x[0], abi::right::signal));
    uint64_t allowed = notification.capability.badge;
    if (allowed != 0 && (arguments.x[1] & ~allowed) != 0) { return Status::no_right; }
    notify(core, *notification, arguments.x[1]);
    return Status::ok;
}

} // namespace bulkhead::hypercall
