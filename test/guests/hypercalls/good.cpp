// SPDX-License-Identifier: MIT
// The good case of every hypercall that the making of the cast has not used yet.
#include "test/guests/hypercalls/cast.hpp"

namespace test {
namespace {

using Register = abi::VirtualInterruptRegister;

void check_memory() {
    Handle const part = take_slot();
    check("derive", Status::ok, derive(cast.memory, page, page, part, right::all));
    auto* at = map_window(part, page);
    *at = 42;
    check("map.sees", 42, *at);
    check("unmap", Status::ok, unmap(part));
    check("map.elsewhere", Status::ok, map(own().self, part, reinterpret_cast<uint64_t>(at) + 4 * page, access::read));
    check("map.same_page", 42, at[4 * page]);
    check("revoke", Status::ok, revoke(cast.memory));
    check("revoke.stale", Status::bad_handle, unmap(part));
    check("drop.stale", Status::ok, drop(part));
    give_slot(part);
    check("map_device", Status::ok, map_device(cast.vm, 0x900'0000, 3, cast.endpoint, 7));
    check("map_device.unmap", Status::ok, unmap_device(cast.vm, 0x900'0000, 3));
}

void check_capabilities() {
    Handle const copy = take_slot(), minted = take_slot();
    check("delegate", Status::ok, delegate(own().self, copy, cast.endpoint, right::call));
    check("delegate.mint", Status::ok, delegate(own().self, minted, cast.endpoint, right::call, 77));
    check("delegate.keep_badge", Status::ok, delegate(cast.partition, 30, minted, right::call, 0));
    check("delegate.same_badge", Status::ok, delegate(cast.partition, 31, minted, right::call, 77));
    check("drop.other", Status::ok, drop_from(cast.partition, 30));
    check("drop.other_too", Status::ok, drop_from(cast.partition, 31));
    check("drop", Status::ok, drop(copy));
    check("drop.twice", Status::bad_handle, drop(copy));
    drop(minted);
    give_slot(copy), give_slot(minted);
}

void check_vcpus() {
    check("vcpu_write", Status::ok, vcpu_write(cast.vcpu, static_cast<abi::VcpuRegister>(9), 0x1234));
    auto const general = hypercall<Hypercall::vcpu_read>(cast.vcpu, 3);
    check("vcpu_read.general", Status::ok, general.status);
    check("vcpu_read.x9", 0x1234, general.values[3]);
    check("vcpu_write.x30", Status::ok, vcpu_write(cast.vcpu, static_cast<abi::VcpuRegister>(30), 0x30));
    auto const last = hypercall<Hypercall::vcpu_read>(cast.vcpu, 7);
    check("vcpu_read.x30", 0x30, last.values[0]);
    check("vcpu_read.x31", 0, last.values[1] | last.values[5]);
    check("vcpu_write.pc", Status::ok, vcpu_write(cast.vcpu, abi::VcpuRegister::pc, 0x400'0000));
    check("vcpu_read.pc", 0x400'0000, vcpu_read(cast.vcpu, abi::VcpuGroup::pc).words[0]);
    check("vcpu_read.status", Status::ok, vcpu_read(cast.vcpu, abi::VcpuGroup::status).status);
    check("vcpu_read.off", static_cast<uint64_t>(abi::VcpuState::off), vcpu_read(cast.vcpu, abi::VcpuGroup::status).words[0]);
    check("vcpu_schedule", Status::ok, vcpu_schedule(cast.vcpu, 11, 1000, 10'000));
    check("vcpu_schedule.unlimited", Status::ok, vcpu_schedule(cast.vcpu, 63, 0, 0));
}

uint64_t value(Register reg, uint32_t first, uint64_t write = 0) { return interrupt_state(cast.vm, reg, 0, first, write).value; }

void check_interrupts() {
    constexpr uint64_t bit = 1u << (41 - 32);
    check("interrupt_line", Status::ok, interrupt_line(cast.vm_lines, 41, Line::high));
    check("interrupt_state.pending", bit, value(Register::pending_set, 32));
    check("interrupt_state.clear_high", bit, value(Register::pending_clear, 32, bit));
    check("interrupt_state.still", bit, value(Register::pending_set, 32));
    check("interrupt_line.lower", Status::ok, interrupt_line(cast.vm_lines, 41, Line::low));
    check("interrupt_state.low", 0, value(Register::pending_set, 32));
    check("interrupt_line.pulse", Status::ok, interrupt_line(cast.vm_lines, 41, Line::pulse));
    check("interrupt_state.latched", bit, value(Register::pending_clear, 32, bit));
    check("interrupt_state.taken", 0, value(Register::pending_set, 32));
    check("interrupt_line.sgi", Status::ok, interrupt_line(cast.vm, 5, Line::pulse)); // who configures may
    check("interrupt_state.sgi", 1u << 5, value(Register::pending_clear, 0, 1u << 5));
    struct {
        Register reg;
        uint32_t first;
        uint64_t written;
    } const assigned[] = {{Register::group, 32, 0xffff'0001},
                          {Register::priority, 40, 0x80a0'40c0},
                          {Register::config, 48, 0x8000'0002},
                          {Register::route, 41, 0},
                          {Register::ctlr, 0, 3}};
    for (auto const& each : assigned) {
        value(each.reg, each.first, each.written);
        Name const name("interrupt_state.read.%u", static_cast<unsigned>(each.reg));
        auto const first = static_cast<uint64_t>(each.first) | abi::read_only;
        auto const read = hypercall<Hypercall::interrupt_state>(cast.vm, each.reg, 0, first, 0);
        check(name, each.written, read.values[0]);
        check(name, each.written, value(each.reg, each.first, 0)); // reading has written nothing
    }
    check("interrupt_state.enable", 0, value(Register::enable_set, 64, 5));
    check("interrupt_state.enabled", 4, value(Register::enable_clear, 64, 6));
    check("interrupt_state.disabled", 1, value(Register::enable_set, 64));
    check("interrupt_state.active", 0, value(Register::active_set, 64, 8));
    check("interrupt_state.is_active", 8, value(Register::active_clear, 64, 8));
    check("interrupt_state.ppi", 0, value(Register::enable_set, 0, 1u << 27));
    check("interrupt_state.ppi_enabled", 1u << 27, value(Register::enable_clear, 0, 1u << 27));
    check("interrupt_bind", Status::ok, interrupt_to_signal(cast.interrupt, cast.notification, 5));
    check("interrupt_bind.vm", Status::ok, interrupt_to_vm(cast.interrupt, cast.vm, 60));
    check("interrupt_bind.back", Status::ok, interrupt_to_signal(cast.interrupt, cast.notification, 63));
    check("interrupt_control.acknowledge", Status::ok, interrupt_control(cast.interrupt, InterruptOperation::acknowledge));
    check("interrupt_control.mask", Status::ok, interrupt_control(cast.interrupt, InterruptOperation::mask));
    check("interrupt_control.unmask", Status::ok, interrupt_control(cast.interrupt, InterruptOperation::unmask));
}

} // namespace

void check_good() {
    check_memory();
    check_capabilities();
    check_vcpus();
    check_interrupts();
    check("signal", Status::ok, signal(cast.notification, 5));
    check("signal.none", Status::ok, signal(cast.notification, 0));
    check("signal_recv", Status::ok, signal_now(cast.notification, 5));
    check("signal_recv.none", Status::ok, signal_now(cast.notification, 0));
    check("call.no_server", Status::no_server, call(cast.endpoint, 0).status);
    auto const statistics = machine_statistics(0);
    check("machine.statistics", Status::ok, statistics.status);
    check("machine.statistics.busy", statistics.busy_ticks > 0);
}

} // namespace test
