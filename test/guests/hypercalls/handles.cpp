// SPDX-License-Identifier: MIT
// Every handle argument of every hypercall: nothing there, stale, an object of each other type, each right missing.
#include "test/guests/hypercalls/cast.hpp"

namespace test {
namespace {

using abi::ObjectType;
using Operation = Status (*)(Handle);

struct Argument {
    std::string_view name; ///< hypercall.argument
    ObjectType type;
    Handle Cast::*good;
    uint16_t right; ///< needed
    Operation operation;
};

constexpr struct {
    ObjectType type;
    std::string_view name;
    Handle Cast::*handle;
} types[] = {
    {ObjectType::memory, "memory", &Cast::memory},
    {ObjectType::partition, "partition", &Cast::partition},
    {ObjectType::vcpu, "vcpu", &Cast::vcpu},
    {ObjectType::endpoint, "endpoint", &Cast::endpoint},
    {ObjectType::interrupt, "interrupt", &Cast::interrupt},
    {ObjectType::notification, "notification", &Cast::notification},
};

constexpr uint64_t somewhere = 0x1000'0000, free_slot = 200;

constexpr Argument arguments[] = {
    {"call.endpoint", ObjectType::endpoint, &Cast::endpoint, right::call, [](Handle h) { return call(h, 0).status; }},
    {"signal.notification", ObjectType::notification, &Cast::notification, right::signal, [](Handle h) { return signal(h, 1); }},
    {"signal_recv.notification", ObjectType::notification, &Cast::notification, right::signal,
     [](Handle h) { return signal_now(h, 1); }},
    {"delegate.partition", ObjectType::partition, &Cast::partition, right::delegate,
     [](Handle h) { return delegate(h, 20, cast.endpoint, right::call); }},
    {"drop.partition", ObjectType::partition, &Cast::partition, right::delegate,
     [](Handle h) { return h == 0 ? Status::bad_handle : drop_from(h, slot_main_notification); }},
    {"derive.memory", ObjectType::memory, &Cast::memory, right::derive, [](Handle h) { return derive(h, 0, page, free_slot, 0); }},
    {"revoke.memory", ObjectType::memory, &Cast::memory, right::derive, [](Handle h) { return revoke(h); }},
    {"map.partition", ObjectType::partition, &Cast::partition, right::map_into,
     [](Handle h) { return map(h, cast.memory, somewhere, access::read); }},
    {"map.memory", ObjectType::memory, &Cast::memory, right::map_memory,
     [](Handle h) { return map(cast.partition, h, somewhere, access::read); }},
    {"map.memory.read", ObjectType::memory, &Cast::memory, right::read,
     [](Handle h) { return map(cast.partition, h, somewhere, access::read); }},
    {"map.memory.write", ObjectType::memory, &Cast::memory, right::write,
     [](Handle h) { return map(cast.partition, h, somewhere, access::read | access::write); }},
    {"map.memory.execute", ObjectType::memory, &Cast::memory, right::execute,
     [](Handle h) { return map(cast.partition, h, somewhere, access::read | access::execute); }},
    {"unmap.memory", ObjectType::memory, &Cast::memory, right::map_memory, [](Handle h) { return unmap(h); }},
    {"map_device.partition", ObjectType::partition, &Cast::partition, right::map_into,
     [](Handle h) { return map_device(h, somewhere, 1, cast.endpoint, 0); }},
    {"map_device.endpoint", ObjectType::endpoint, &Cast::endpoint, right::serve,
     [](Handle h) { return map_device(cast.partition, somewhere, 1, h, 0); }},
    {"create.partition.memory", ObjectType::memory, &Cast::memory, right::donate,
     [](Handle h) { return create_partition(h, free_slot, abi::PartitionKind::native, 16, own().notification, 1); }},
    {"create.vcpu.memory", ObjectType::memory, &Cast::memory, right::donate,
     [](Handle h) { return create_vcpu(h, free_slot, cast.partition, 7, 0, 1); }},
    {"create.vcpu.partition", ObjectType::partition, &Cast::partition, right::create_vcpu,
     [](Handle h) { return create_vcpu(cast.memory, free_slot, h, 7, 0, 1); }},
    {"create.notification.vcpu", ObjectType::vcpu, &Cast::vcpu, right::control,
     [](Handle h) { return create_notification(nothing_donated, free_slot, h); }},
    {"route.partition", ObjectType::partition, &Cast::vm, right::map_into,
     [](Handle h) { return route(h, abi::Trap::wfi, cast.endpoint, 0); }},
    {"route.endpoint", ObjectType::endpoint, &Cast::endpoint, right::serve,
     [](Handle h) { return route(cast.vm, abi::Trap::wfi, h, 0); }},
    {"bind.endpoint", ObjectType::endpoint, &Cast::endpoint, right::serve, [](Handle h) { return bind(h, cast.vcpu); }},
    {"bind.vcpu", ObjectType::vcpu, &Cast::vcpu, right::control, [](Handle h) { return bind(cast.endpoint, h); }},
    {"vcpu_control.vcpu", ObjectType::vcpu, &Cast::vcpu, right::control,
     [](Handle h) { return vcpu_control(h, abi::VcpuOperation::stop); }},
    {"vcpu_read.vcpu", ObjectType::vcpu, &Cast::vcpu, right::inspect,
     [](Handle h) { return vcpu_read(h, abi::VcpuGroup::status).status; }},
    {"vcpu_write.vcpu", ObjectType::vcpu, &Cast::vcpu, right::control,
     [](Handle h) { return vcpu_write(h, abi::VcpuRegister::x0, 1); }},
    {"vcpu_schedule.vcpu", ObjectType::vcpu, &Cast::vcpu, right::control, [](Handle h) { return vcpu_schedule(h, 1, 0, 0); }},
    {"interrupt_line.partition", ObjectType::partition, &Cast::vm_lines, right::interrupt_line,
     [](Handle h) { return interrupt_line(h, 41, Line::low); }},
    {"interrupt_state.partition", ObjectType::partition, &Cast::vm, right::configure_interrupts,
     [](Handle h) { return interrupt_state(h, abi::VirtualInterruptRegister::enable_set, 0, 32).status; }},
    {"interrupt_bind.interrupt", ObjectType::interrupt, &Cast::interrupt, right::bind,
     [](Handle h) { return interrupt_to_signal(h, cast.notification, 0); }},
    {"interrupt_bind.notification", ObjectType::notification, &Cast::notification, right::serve,
     [](Handle h) { return interrupt_to_signal(cast.interrupt, h, 0); }},
    {"interrupt_bind.vm", ObjectType::partition, &Cast::vm, right::configure_interrupts,
     [](Handle h) { return interrupt_to_vm(cast.interrupt, h, 60); }},
    {"interrupt_control.interrupt", ObjectType::interrupt, &Cast::interrupt, right::acknowledge,
     [](Handle h) { return interrupt_control(h, InterruptOperation::mask); }},
};

constexpr uint64_t out_of_range = 1024, huge = 0x8000'0000'0000'0001, wrapping = 1ull << 60;

void check_argument(Argument const& argument) {
    Text<64> name;
    auto one = [&](std::string_view suffix, Status expected, Status got) {
        name.clear();
        name.put(argument.name).put('.').put(suffix);
        check(name, expected, got);
    };
    one("none", Status::bad_handle, argument.operation(0));
    one("out_of_range", Status::bad_handle, argument.operation(out_of_range));
    one("huge", Status::bad_handle, argument.operation(huge));
    one("wrapping", Status::bad_handle, argument.operation(wrapping | cast.*argument.good));
    one("stale", Status::bad_handle, argument.operation(cast.stale));
    for (auto const& other : types) {
        if (other.type != argument.type) { one(other.name, Status::bad_type, argument.operation(cast.*other.handle)); }
    }
    uint16_t const rest = static_cast<uint16_t>(0x7f & ~argument.right);
    Handle const full = cast.*argument.good;
    bool const is_interrupt = argument.type == ObjectType::interrupt;
    uint16_t const rights = is_interrupt ? static_cast<uint16_t>(6 & ~argument.right) : rest;
    one("no_right", Status::no_right, with_rights(full, rights, argument.operation));
}

/// Those that take an object of any type.
void check_any_type() {
    auto any = [](std::string_view name, Status (*operation)(Handle)) {
        check(name, Status::bad_handle, operation(0));
        check(name, Status::bad_handle, operation(out_of_range));
        check(name, Status::bad_handle, operation(huge));
    };
    any("delegate.what", [](Handle h) { return delegate(cast.partition, 20, h, 0); });
    any("drop.what", [](Handle h) { return drop(h); });
    any("destroy.what", [](Handle h) { return destroy(h); });
    check("delegate.stale", Status::bad_handle, delegate(cast.partition, 20, cast.stale, 0));
    check("destroy.stale", Status::bad_handle, destroy(cast.stale));
    for (auto const& type : types) {
        Text<64> name;
        name.put("destroy.").put(type.name).put(".no_right");
        auto const rights = static_cast<uint16_t>(type.type == ObjectType::interrupt ? 6 : 0x7e);
        check(name, Status::no_right, with_rights(cast.*type.handle, rights, [](Handle h) { return destroy(h); }));
    }
    check("delegate.no_right", Status::no_right, with_rights(cast.endpoint, right::call, [](Handle h) {
              return delegate(cast.partition, 20, h, right::call | right::serve);
          }));
    check("derive.no_right", Status::no_right, with_rights(cast.memory, right::derive | right::read, [](Handle h) {
              return derive(h, 0, page, free_slot, right::read | right::write);
          }));
}

} // namespace

void check_handles() {
    for (auto const& argument : arguments) { check_argument(argument); }
    check_any_type();
}

} // namespace test
