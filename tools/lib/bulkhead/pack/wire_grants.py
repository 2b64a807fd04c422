# SPDX-License-Identifier: MIT
"""Wires what the description gives by name: calls, signals, shared memory, devices, capabilities."""

from __future__ import annotations

from bulkhead.pack.description import Device, Grant
from bulkhead.pack.plan import BLOCK, Extent, Interrupt, Memory, Object, Partition, Plan
from bulkhead.pack.wire_console import UART_SIGNAL
from bulkhead.pack.wire_partitions import Material, share, unmapped

Shared = dict[str, Memory]


def wire_grants(plan: Plan, material: Material) -> None:
    """Everything that partitions name themselves."""
    shared: Shared = {
        memory.name: plan.memory(
            plan.extent(
                Extent(
                    f"shared.{memory.name}",
                    "shared",
                    memory.size,
                    align=BLOCK if memory.size >= BLOCK else 4096,
                )
            ),
            donatable=memory.donatable,
        )
        for memory in plan.system.memories.values()
    }
    callers: dict[str, int] = {}
    for partition in list(plan.natives()):
        _calls(plan, partition, callers)
        _notifies(plan, partition)
        _memory(plan, partition, shared, material)
        _devices(plan, partition)
    for partition in list(plan.vms()):
        _passed_through(plan, partition)
        _placed(plan, partition, shared)
    for partition in list(plan.natives()):
        assert partition.native is not None
        for grant in partition.native.grants:
            _grant(plan, partition, grant, shared)


def _calls(plan: Plan, partition: Partition, callers: dict[str, int]) -> None:
    assert partition.native is not None
    for index, name in enumerate(partition.native.calls):
        server = plan.partitions[name]
        assert server.endpoint is not None
        badge = callers[name] = callers.get(name, 0) + 1
        path = (*partition.path, "calls", index)
        plan.handle(partition, f"call.{name}", server.endpoint, ("call",), badge=badge, path=path)
        server.entries.string(f"caller.{badge}.name", partition.name)
        server.entries.by_name.pop("callers", None)
        server.entries.number("callers", badge)


def _notifies(plan: Plan, partition: Partition) -> None:
    assert partition.native is not None
    for index, name in enumerate(partition.native.notifies):
        target = plan.partitions[name]
        assert target.notification is not None
        if f"notify.{name}" in partition.entries.by_name:
            continue  # lifecycle's own
        bit = target.signal(f"from {partition.name}")
        path = (*partition.path, "notifies", index)
        plan.handle(
            partition,
            f"notify.{name}",
            target.notification,
            ("signal",),
            badge=1 << bit,
            path=path,
        )
        partition.entries.number(f"notify.{name}.signal", bit)
        target.entries.number(f"signal.{partition.name}", bit)


def _memory(plan: Plan, partition: Partition, shared: Shared, material: Material) -> None:
    assert partition.native is not None
    for name, access in partition.native.memory.items():
        path = (*partition.path, "memory", name)
        ipa = share(plan, partition, shared[name], access, path)
        partition.entries.region(f"region.{name}", ipa, shared[name].size)
    for name, access in partition.native.guest_memory.items():
        ram = material.ram[name]
        path = (*partition.path, "guest_memory", name)
        ipa = share(plan, partition, ram, access, path)
        vm = plan.system.vm(name)
        assert vm is not None
        partition.entries.region(f"guest.{name}", ipa, ram.size)
        partition.entries.number(f"guest.{name}.base", vm.ram_base)


def _devices(plan: Plan, partition: Partition) -> None:
    assert partition.native is not None
    board_uart = plan.system.board.uart
    if partition.native.role == "console":
        device = plan.system.devices[board_uart]
        _device(plan, partition, device, "pl011", UART_SIGNAL)
    for name in partition.native.devices:
        if partition.native.role == "console" and name == board_uart:
            continue
        device = plan.system.devices[name]
        bit = partition.signal(f"interrupt {name}") if device.intid is not None else 0
        _device(plan, partition, device, name, bit)


def _device(plan: Plan, partition: Partition, device: Device, name: str, bit: int) -> None:
    if device.address is not None:
        memory = plan.registers(device.name, device.address, device.size)
        mapping = plan.map_region(partition, memory, "rw")
        partition.entries.region(f"device.{name}", mapping.ipa, device.size)
    if device.intid is not None:
        made = plan.object("interrupt", device.name)
        core = partition.vcpus[0].core
        plan.interrupts[device.name] = Interrupt(
            made, device.intid, core, device.edge, partition.notification, bit
        )
        plan.handle(partition, f"interrupt.{name}", made, ("acknowledge",))
        partition.entries.number(f"interrupt.{name}.signal", bit)


def _placed(plan: Plan, partition: Partition, shared: Shared) -> None:
    assert partition.vm is not None
    for name, place in partition.vm.memory.items():
        memory = unmapped(plan, partition, shared[name])
        path = (*partition.path, "memory", name)
        plan.map(partition, memory, place.address, place.access, path)


def _passed_through(plan: Plan, partition: Partition) -> None:
    """A physical device in a VM: at its own address, its interrupt hardware-linked with its own INTID."""
    assert partition.vm is not None
    for name in partition.vm.devices:
        device = plan.system.devices[name]
        if device.address is not None:
            memory = plan.registers(device.name, device.address, device.size)
            plan.map(partition, memory, device.address, "rw")
        if device.intid is not None:
            made = plan.object("interrupt", device.name)
            core = partition.vcpus[0].core
            plan.interrupts[device.name] = Interrupt(
                made, device.intid, core, device.edge, partition.object, device.intid
            )


def _grant(plan: Plan, partition: Partition, grant: Grant, shared: Shared) -> None:
    target = _target(plan, partition, grant, shared)
    badge = 0
    if grant.kind == "endpoint":
        badge = grant.badge
    elif grant.kind == "notification":
        badge = sum(1 << bit for bit in set(grant.signals))
    elif grant.kind == "partition" and grant.intids:
        badge = grant.intids[0] | grant.intids[1] << 16
    name = f"{grant.kind}.{grant.target}"
    if name in partition.entries.by_name:  # lifecycle's own partition.self
        plan.grant(partition, target, grant.rights, badge=badge, path=grant.path)
        return
    plan.handle(partition, name, target, grant.rights, badge=badge, path=grant.path)
    if grant.kind == "memory":
        partition.entries.number(f"{name}.size", shared[grant.target].size)


def _target(plan: Plan, partition: Partition, grant: Grant, shared: Shared) -> Object:
    name = partition.name if grant.target == "self" else grant.target
    if grant.kind == "memory":
        return shared[name].object
    if grant.kind == "interrupt":
        if name not in plan.interrupts:
            device = plan.system.devices[name]
            assert device.intid is not None
            plan.interrupts[name] = Interrupt(
                plan.object("interrupt", name),
                device.intid,
                partition.vcpus[0].core,
                device.edge,
            )
        return plan.interrupts[name].object
    if grant.kind == "vcpu":
        owner, _, index = name.rpartition(".")
        owner = partition.name if owner == "self" else owner
        return plan.partitions[owner].vcpus[int(index)].object
    other = plan.partitions[name]
    made = {
        "partition": other.object,
        "endpoint": other.endpoint,
        "notification": other.notification,
    }[grant.kind]
    assert made is not None
    return made
