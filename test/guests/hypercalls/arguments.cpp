// SPDX-License-Identifier: MIT
// Numbers out of range, misaligned or contradictory; states that forbid; slots and memory that are not there.
#include "services/lib/environment.hpp"
#include "test/guests/hypercalls/cast.hpp"

namespace test {
namespace {

using abi::VcpuGroup;
using abi::VcpuOperation;
using abi::VcpuRegister;
using abi::VirtualInterruptRegister;

constexpr uint64_t ipa_end = 1ull << 39, somewhere = 0x1000'0000;
constexpr Status bad = Status::bad_argument;

void check_memory() {
    Handle const slot = take_slot();
    uint64_t const size = Environment::get().property("memory.pages.size");
    Handle const all = own().pages;
    check("derive.offset", bad, derive(all, 1, page, slot, 0));
    check("derive.size", bad, derive(all, 0, page + 8, slot, 0));
    check("derive.empty", bad, derive(all, 0, 0, slot, 0));
    check("derive.beyond", bad, derive(all, size, page, slot, 0));
    check("derive.longer", bad, derive(all, 0, size + page, slot, 0));
    check("derive.wraps", bad, derive(all, ~0ull << 12, 2 * page, slot, 0));
    check("derive.slot_0", Status::no_slot, derive(cast.memory, 0, page, 0, 0));
    check("derive.slot_taken", Status::no_slot, derive(cast.memory, 0, page, cast.memory, 0));
    check("derive.slot_beyond", Status::no_slot, derive(cast.memory, 0, page, 1u << 20, 0));
    check("map.nothing", bad, map(cast.partition, cast.memory, somewhere, 0));
    check("map.write_only", bad, map(cast.partition, cast.memory, somewhere, access::write));
    check("map.write_execute", bad, map(cast.partition, cast.memory, somewhere, 7));
    check("map.access_8", bad, map(cast.partition, cast.memory, somewhere, 9));
    check("map.access_huge", bad, map(cast.partition, cast.memory, somewhere, 1ull << 32 | 1));
    check("map.misaligned", bad, map(cast.partition, cast.memory, somewhere + 8, access::read));
    check("map.beyond", bad, map(cast.partition, cast.memory, ipa_end, access::read));
    check("map.across_end", bad, map(cast.partition, cast.memory, ipa_end - page, access::read));
    check("map.wraps", bad, map(cast.partition, cast.memory, ~0ull << 12, access::read));
    check("map.overlap", Status::overlap, map(cast.partition, cast.memory, 0x40'0000 - page, access::read));
    check("map.after_overlap", Status::ok, map(cast.partition, cast.memory, 0x40'0000 - 2 * page, access::read));
    check("map.mapped", Status::bad_state, map(cast.partition, cast.memory, somewhere, access::read));
    check("unmap.mapped", Status::ok, unmap(cast.memory));
    check("unmap.not_mapped", Status::ok, unmap(cast.memory));
    check("map.no_memory", Status::no_memory, [] {
        Status status = Status::ok;
        for (uint64_t gib = 8; gib < 64 && status == Status::ok; ++gib) {
            status = map(cast.partition, cast.memory, gib << 30, access::read);
            unmap(cast.memory);
        }
        return status;
    }());
    check("map_device.misaligned", bad, map_device(cast.vm, somewhere + 1, 1, cast.endpoint, 0));
    check("map_device.none", bad, map_device(cast.vm, somewhere, 0, cast.endpoint, 0));
    check("map_device.beyond", bad, map_device(cast.vm, ipa_end, 1, cast.endpoint, 0));
    check("map_device.across_end", bad, map_device(cast.vm, ipa_end - page, 2, cast.endpoint, 0));
    check("map_device.too_many", bad, map_device(cast.vm, somewhere, 1ull << 52, cast.endpoint, 0));
    check("map_device.badge", bad, hypercall<Hypercall::map_device>(cast.vm, somewhere, 1, cast.endpoint, 1ull << 32).status);
    check("map_device.overlap", Status::overlap, map_device(cast.partition, 0x40'0000, 1, cast.endpoint, 0));
    check("map.over_device", Status::overlap, [] {
        map_device(cast.vm, somewhere, 1, cast.endpoint, 3);
        Status const status = map(cast.vm, cast.memory, somewhere, access::read);
        unmap_device(cast.vm, somewhere, 1);
        return status;
    }());
    give_slot(slot);
}

void check_create() {
    auto create = [](uint64_t type, uint64_t x1, uint64_t slot, uint64_t x3 = 0, uint64_t x4 = 0, uint64_t x5 = 0,
                     uint64_t x6 = 0) { return hypercall<Hypercall::create>(type, x1, slot, x3, x4, x5, x6).status; };
    Handle const slot = take_slot(), memory = take_pages(2 * page), one = take_pages(page);
    for (uint64_t type : {0ull, 1ull, 6ull, 7ull, 0x104ull, ~0ull}) {
        check("create.type", bad, create(type, nothing_donated, slot));
    }
    check("create.slot_0", Status::no_slot, create(4, nothing_donated, 0));
    check("create.slot_taken", Status::no_slot, create(4, nothing_donated, cast.memory));
    check("create.slot_beyond", Status::no_slot, create(4, nothing_donated, 1024));
    check("create.partition.kind", bad, create(2, memory, slot, 2, 16));
    check("create.partition.slots_0", bad, create(2, memory, slot, 0, 0));
    check("create.partition.slots", bad, create(2, memory, slot, 0, 1025));
    check("create.partition.no_memory", Status::no_memory, create(2, memory, slot, 0, 16, own().notification));
    check("create.partition.no_supervisor", Status::bad_handle, create(2, memory, slot, 0, 16));
    check("create.partition.supervisor", Status::bad_handle, create(2, memory, slot, 0, 16, 1u << 20, 0));
    check("create.partition.supervisor_type", Status::bad_type, create(2, memory, slot, 0, 16, cast.memory, 0));
    check("create.partition.signal", bad, create(2, memory, slot, 0, 16, own().notification, 64));
    check("create.vcpu.index", bad, create(3, one, slot, cast.partition, 8, 0, 1));
    check("create.vcpu.core", bad, create(3, one, slot, cast.partition, 7, 8, 1));
    check("create.vcpu.priority", bad, create(3, one, slot, cast.partition, 7, 0, 64));
    check("create.vcpu.taken", Status::no_slot, create(3, one, slot, cast.partition, 0, 0, 1));
    check("create.endpoint.max_us", bad, create(4, nothing_donated, slot, 1ull << 32));
    check("create.notification.taken", Status::bad_state, create(5, nothing_donated, slot, cast.vcpu));
    check("create.notification.vm", bad, create(5, nothing_donated, slot, cast.vm_vcpu));
    check("create.vcpu.not_donatable", bad, create(3, own().shared, slot, cast.partition, 7, 0, 1));
    check("create.vcpu.has_children", Status::bad_state, create(3, own().pages, slot, cast.partition, 7, 0, 1));
    check("create.vcpu", Status::ok, create(3, one, slot, cast.partition, 7, 0, 1));
    check("create.vcpu.donated", Status::bad_state, create(3, one, cast.stale, cast.partition, 6, 0, 1));
    check("map.donated", Status::bad_state, map(own().self, one, somewhere, access::read));
    check("unmap.donated", Status::bad_state, unmap(one));
    check("derive.donated", Status::bad_state, derive(one, 0, page, cast.stale, 0));
    check("destroy.vcpu", Status::ok, destroy(slot));
    check("destroy.memory", Status::ok, destroy(one));
    check("destroy.root_memory", Status::bad_state, destroy(own().pages));
    check("destroy.interrupt", Status::no_right, destroy(cast.interrupt));
    check("destroy.self", Status::bad_state, destroy(own().self));
    check("bind.vm", bad, bind(cast.endpoint, cast.vm_vcpu));
    check("bind", Status::ok, bind(cast.endpoint, cast.vcpu));
    check("bind.again", Status::ok, bind(cast.endpoint, cast.vcpu));
}

void check_vcpus() {
    auto control = [](Handle h, uint64_t operation, uint64_t x2 = 0) {
        return hypercall<Hypercall::vcpu_control>(h, operation, x2, 0, 0, 0).status;
    };
    for (uint64_t operation : {7ull, 0xffull, 0x100ull, 0x101ull, ~0ull}) {
        check("vcpu_control.operation", bad, control(cast.vcpu, operation));
    }
    check("vcpu_control.start.misaligned", bad, vcpu_start(cast.vcpu, 0x40'0002, 0));
    check("vcpu_control.start.beyond", bad, vcpu_start(cast.vcpu, ipa_end, 0));
    check("vcpu_control.start.running", Status::bad_state, vcpu_start(own().vcpu, 0x40'0000, 0));
    check("vcpu_control.pause.off", Status::bad_state, vcpu_control(cast.vcpu, VcpuOperation::pause));
    check("vcpu_control.resume.off", Status::bad_state, vcpu_control(cast.vcpu, VcpuOperation::resume));
    check("vcpu_control.resume.running", Status::bad_state, vcpu_control(own().vcpu, VcpuOperation::resume));
    check("vcpu_control.stop.off", Status::ok, vcpu_control(cast.vcpu, VcpuOperation::stop));
    check("vcpu_control.move.core", bad, vcpu_control(cast.vm_vcpu, VcpuOperation::move, 8));
    check("vcpu_control.move.running", Status::bad_state, vcpu_control(own().vcpu, VcpuOperation::move, 1));
    check("vcpu_control.move.server", Status::bad_state, vcpu_control(cast.vcpu, VcpuOperation::move, 1));
    check("vcpu_control.move", Status::ok, vcpu_control(cast.vm_vcpu, VcpuOperation::move, 1));
    check("vcpu_control.move.back", Status::ok, vcpu_control(cast.vm_vcpu, VcpuOperation::move, 0));
    check("vcpu_control.serror.native", Status::bad_type, vcpu_control(cast.vcpu, VcpuOperation::inject_serror));
    check("vcpu_control.serror", Status::ok, vcpu_control(cast.vm_vcpu, VcpuOperation::inject_serror, 0));
    check("vcpu_control.watch.vm", Status::bad_type, vcpu_control(cast.vm_vcpu, VcpuOperation::watch, 1000));
    check("vcpu_control.watch", Status::ok, vcpu_control(cast.vcpu, VcpuOperation::watch, 0));
    auto read = [](Handle h, uint64_t group) { return hypercall<Hypercall::vcpu_read>(h, group).status; };
    for (uint64_t group : {9ull, 0x100ull, 0x8000'0000'0000'0002ull, ~0ull}) {
        check("vcpu_read.group", bad, read(cast.vcpu, group));
    }
    check("vcpu_read.pc.running", Status::bad_state, read(own().vcpu, 1));
    check("vcpu_read.general.running", Status::bad_state, read(own().vcpu, 2));
    check("vcpu_read.status.running", Status::ok, read(own().vcpu, 0));
    check("vcpu_read.exits.running", Status::ok, read(own().vcpu, 8));
    auto write = [](Handle h, uint64_t reg) { return hypercall<Hypercall::vcpu_write>(h, reg, 0).status; };
    for (uint64_t reg : {34ull, 0x100ull, 0x120ull, ~0ull}) { check("vcpu_write.register", bad, write(cast.vcpu, reg)); }
    check("vcpu_write.running", Status::bad_state, write(own().vcpu, 0));
    check("vcpu_write.mpidr.native", Status::bad_type, write(cast.vcpu, 33));
    check("vcpu_write.mpidr", Status::ok, write(cast.vm_vcpu, 33));
    check("vcpu_write.cntvoff", Status::ok, write(cast.vm_vcpu, 32));
    auto with = [&](uint16_t rights, uint64_t reg) {
        return with_rights(cast.vm_vcpu, rights, [=](Handle h) { return write(h, reg); });
    };
    check("vcpu_write.cntvoff.control", Status::ok, with(right::control, 32));
    check("vcpu_write.cntvoff.time", Status::ok, with(right::time, 32));
    check("vcpu_write.cntvoff.no_right", Status::no_right, with(right::inspect, 32));
    check("vcpu_write.x0.time", Status::no_right, with(right::time, 0));
    auto schedule = [](uint64_t priority, uint64_t budget, uint64_t period) {
        return hypercall<Hypercall::vcpu_schedule>(cast.vcpu, priority, budget, period).status;
    };
    check("vcpu_schedule.priority", bad, schedule(64, 0, 0));
    check("vcpu_schedule.priority_huge", bad, schedule(1ull << 40, 0, 0));
    check("vcpu_schedule.budget", bad, schedule(1, 2000, 1000));
    check("vcpu_schedule.period_0", bad, schedule(1, 1000, 0));
    check("vcpu_schedule.period", bad, schedule(1, 1000, ~0ull));
}

void check_interrupts() {
    check("interrupt_line.no_range", Status::no_right, interrupt_line(cast.vm, 41, Line::high));
    check("interrupt_line.below", Status::no_right, interrupt_line(cast.vm_lines, 39, Line::high));
    check("interrupt_line.above", Status::no_right, interrupt_line(cast.vm_lines, 51, Line::high));
    check("interrupt_line.level", bad, hypercall<Hypercall::interrupt_line>(cast.vm_lines, 41, 0, 3).status);
    check("interrupt_line.intid", bad, interrupt_line(cast.vm_lines, 256, Line::high));
    check("interrupt_line.intid_huge", bad, hypercall<Hypercall::interrupt_line>(cast.vm_lines, 1ull << 32 | 41, 0, 1).status);
    check("interrupt_line.sgi", bad, interrupt_line(cast.vm_lines, 5, Line::high));
    check("interrupt_line.no_vcpu", bad, interrupt_line(cast.vm_lines, 20, Line::high, 5));
    check("interrupt_line.native", bad, interrupt_line(cast.partition, 41, Line::high));
    auto state = [](uint64_t reg, uint64_t vcpu, uint64_t first) {
        return hypercall<Hypercall::interrupt_state>(cast.vm, reg, vcpu, first, 0).status;
    };
    check("interrupt_state.register", bad, state(11, 0, 32));
    check("interrupt_state.register_huge", bad, state(0x100, 0, 32));
    check("interrupt_state.misaligned", bad, state(1, 0, 33));
    check("interrupt_state.priority", bad, state(7, 0, 34));
    check("interrupt_state.config", bad, state(8, 0, 40));
    check("interrupt_state.beyond", bad, state(1, 0, 256));
    check("interrupt_state.huge", bad, state(1, 0, 1ull << 40));
    check("interrupt_state.no_vcpu", bad, state(1, 3, 0));
    check("interrupt_state.vcpu_huge", bad, state(1, 1ull << 32, 0));
    check("interrupt_state.route_ppi", bad, state(9, 0, 16));
    check("interrupt_bind.bit", bad, interrupt_to_signal(cast.interrupt, cast.notification, 64));
    check("interrupt_bind.how", bad, hypercall<Hypercall::interrupt_bind>(cast.interrupt, cast.notification, 0, 2).status);
    check("interrupt_bind.vm.ppi", bad, interrupt_to_vm(cast.interrupt, cast.vm, 20));
    check("interrupt_bind.vm.beyond", bad, interrupt_to_vm(cast.interrupt, cast.vm, 256));
    check("interrupt_bind.vm.native", bad, interrupt_to_vm(cast.interrupt, cast.partition, 60));
    for (uint64_t operation : {3ull, 0x100ull}) {
        check("interrupt_control.operation", bad, hypercall<Hypercall::interrupt_control>(cast.interrupt, operation).status);
    }
}

void check_the_rest() {
    auto to = [](Handle vm, uint64_t trap, uint64_t badge) {
        return hypercall<Hypercall::route>(vm, trap, cast.endpoint, badge).status;
    };
    check("route", Status::ok, to(cast.vm, 4, 5));
    check("route.trap", bad, to(cast.vm, 6, 5));
    check("route.trap_huge", bad, to(cast.vm, 1ull << 32, 5));
    check("route.badge", bad, to(cast.vm, 4, 1ull << 32));
    check("route.native", Status::bad_type, to(cast.partition, 4, 5));
    check("delegate.slot_0", Status::no_slot, delegate(cast.partition, 0, cast.endpoint, 0));
    check("delegate.slot_taken", Status::no_slot, delegate(cast.partition, slot_main_notification, cast.endpoint, 0));
    check("delegate.slot_beyond", Status::no_slot, delegate(cast.partition, 1024, cast.endpoint, 0));
    check("delegate.badge_type", Status::bad_type, delegate(cast.partition, 20, cast.memory, 0, 5));
    check("delegate.badge_again", Status::no_right, delegate(cast.partition, 20, cast.vm_lines, 0, 7));
    check("delegate.rights_16", Status::no_right,
          hypercall<Hypercall::delegate>(cast.partition, 20, cast.endpoint, 1u << 16, 0).status);
    check("drop.empty", Status::bad_handle, drop_from(cast.partition, 21));
    check("drop.beyond", Status::bad_handle, drop_from(cast.partition, 1u << 20));
    auto machine = [](uint64_t operation, uint64_t x1) { return hypercall<Hypercall::machine>(operation, x1).status; };
    check("machine.operation", bad, machine(3, 0));
    check("machine.operation_huge", bad, machine(0x100000002, 0));
    check("machine.statistics.core", bad, machine(2, 8));
}

} // namespace

void check_arguments() {
    check_memory();
    check_create();
    check_vcpus();
    check_interrupts();
    check_the_rest();
}

} // namespace test
