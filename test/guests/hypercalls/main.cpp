// SPDX-License-Identifier: MIT
// Owns the test partition `hypercalls`: every hypercall with good arguments, and with each kind of bad ones.
#include "services/lib/environment.hpp"
#include "test/guests/hypercalls/cast.hpp"

namespace test {

Handle weaker(Handle handle, uint16_t rights) {
    Handle const slot = take_slot();
    if (delegate(own().self, slot, handle, rights) != Status::ok) { log("setup.failed", {{"what", "weaker"}}); }
    return slot;
}

namespace {

void make_cast() {
    static Crew crew;
    crew.make(1);
    check("setup.vcpu", Status::ok, crew.prepare(0, 0, 10));
    cast.partition = crew.partition();
    cast.vcpu = crew.vcpu(0);
    cast.memory = take_pages(2 * page);
    cast.endpoint = take_slot();
    check("create.endpoint", Status::ok, create_endpoint(nothing_donated, cast.endpoint, 0));
    cast.notification = take_slot();
    check("create.notification", Status::ok, create_notification(nothing_donated, cast.notification, cast.vcpu));
    cast.interrupt = Environment::get().handle("interrupt.rtc");
    cast.vm = take_slot();
    check("create.vm", Status::ok,
          create_partition(take_pages(8 * page), cast.vm, abi::PartitionKind::vm, 16, own().notification, 1));
    cast.vm_vcpu = take_slot();
    check("create.vm_vcpu", Status::ok, create_vcpu(take_pages(page), cast.vm_vcpu, cast.vm, 0, 0, 10));
    cast.vm_lines = take_slot();
    check("delegate.mint_lines", Status::ok, delegate(own().self, cast.vm_lines, cast.vm, right::all, 40 | 50 << 16));
    cast.stale = take_slot();
    check("create.endpoint_again", Status::ok, create_endpoint(nothing_donated, cast.stale, 0));
    check("destroy.endpoint", Status::ok, destroy(cast.stale));
}

} // namespace
} // namespace test

int main() {
    test::make_cast();
    test::check_good();
    test::check_handles();
    test::check_arguments();
    test::check_registers();
    test::finish();
}
