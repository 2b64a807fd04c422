# SPDX-License-Identifier: MIT
"""Wires VMs to the services that emulate their devices, and takes their traps there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bulkhead.pack.description import Emulated, Vm
from bulkhead.pack.plan import DevicePages, Memory, Partition, Plan
from bulkhead.pack.wire_console import (
    INPUT_RING,
    VM_RING,
    Consoles,
    add_input,
    add_stream,
    ring,
)
from bulkhead.pack.wire_partitions import share

REDISTRIBUTOR = 0x2_0000
DISTRIBUTOR = 0x1_0000
PHYSICAL_TIMER_INTID = 30


@dataclass(slots=True)
class Clients:
    """Which VMs each service serves, in the order of their badges."""

    by_service: dict[str, list[str]] = field(default_factory=dict)

    def services_of(self, vm: str) -> list[tuple[str, int]]:
        """The services of a VM, and its client index at each."""
        return [
            (name, clients.index(vm)) for name, clients in self.by_service.items() if vm in clients
        ]


def wire_clients(plan: Plan, consoles: Consoles | None, ram: Mapping[str, Memory]) -> Clients:
    """All VMs at all services; `ram` is theirs."""
    clients = Clients()
    for native in plan.natives():
        if native.native and native.native.serves:
            clients.by_service[native.name] = []
    for partition in plan.vms():
        assert partition.vm is not None
        gic, timer = plan.role("gic"), plan.role("timer")
        for device in partition.vm.consoles:
            if server := plan.role(device.kind):
                index = _client(clients, server, partition)
                _wire_device(plan, server, partition, index, (device,))
                if consoles:
                    stream = partition.vm.stream(device.kind)
                    _wire_stream(plan, consoles, server, stream, index)
                if device.kind != "uart":
                    _wire_ram(plan, server, device, index, partition.vm, ram[partition.name])
        if partition.vm.gic and gic:
            _wire_gic(plan, gic, partition, _client(clients, gic, partition))
        if partition.vm.timer and timer:
            _wire_timer(plan, timer, partition, _client(clients, timer, partition))
        for service in dict.fromkeys(device.service for device in partition.vm.emulated):
            server = plan.partitions[service]
            devices = tuple(one for one in partition.vm.emulated if one.service == service)
            index = _client(clients, server, partition)
            _wire_device(plan, server, partition, index, devices)
    for name, served in clients.by_service.items():
        described = plan.system.native(name)
        if served or (described and described.role not in ("none", "console", "lifecycle")):
            plan.partitions[name].entries.number("clients", len(served))
    return clients


def _client(clients: Clients, server: Partition, vm: Partition) -> int:
    served = clients.by_service[server.name]
    served.append(vm.name)
    index = len(served) - 1
    server.entries.string(f"client.{index}.name", vm.name)
    server.entries.number(f"client.{index}.vcpus", len(vm.vcpus))
    return index


def _wire_device(
    plan: Plan, server: Partition, vm: Partition, index: int, devices: tuple[Emulated, ...]
) -> None:
    """Device pages, and the right to raise their interrupts."""
    assert server.endpoint is not None
    entries, prefix = server.entries, f"client.{index}"
    for number, device in enumerate(devices):
        names = {"uart": "pl011", "device": f"{server.name}.{number}"}
        name = names.get(device.kind, device.kind)
        pages = DevicePages(name, server.endpoint, index, device.address, device.size)
        vm.pages.append(pages)
        entries.number(f"{prefix}.device.{number}", device.address)
        entries.number(f"{prefix}.device.{number}.size", device.size)
        if device.intid is not None:
            entries.number(f"{prefix}.device.{number}.intid", device.intid)
    entries.number(f"{prefix}.devices", len(devices))
    entries.number(f"{prefix}.base", devices[0].address)
    intids = [device.intid for device in devices if device.intid is not None]
    if intids:
        entries.number(f"{prefix}.intid", intids[0])
        badge = min(intids) | max(intids) << 16
        path = devices[0].path
        plan.handle(server, f"{prefix}.vm", vm.object, ("interrupt",), badge=badge, path=path)


def _wire_stream(
    plan: Plan, consoles: Consoles, server: Partition, stream: str, index: int
) -> None:
    """The client's rings between the server and the console."""
    entries, prefix = server.entries, f"client.{index}"
    out = ring(plan, f"{stream}.tx", VM_RING)
    keys = ring(plan, f"{stream}.rx", INPUT_RING)
    entries.region(f"{prefix}.tx", share(plan, server, out, "rw"), out.size)
    entries.region(f"{prefix}.rx", share(plan, server, keys, "rw"), keys.size)
    bit = add_stream(plan, consoles, server, stream, out)
    entries.number(f"{prefix}.tx.signal", bit)
    signal = server.signal(f"client {stream}", index)
    add_input(plan, consoles, bit, server, keys, signal)


def _wire_ram(
    plan: Plan, server: Partition, device: Emulated, index: int, vm: Vm, ram: Memory
) -> None:
    """A VirtIO device reads and writes the buffers that the client names; no other VM's."""
    ipa = share(plan, server, ram, "rw", device.path)
    server.entries.region(f"client.{index}.ram", ipa, ram.size)
    server.entries.number(f"client.{index}.ram.base", vm.ram_base)


def _wire_gic(plan: Plan, gic: Partition, vm: Partition, index: int) -> None:
    assert gic.endpoint is not None and vm.vm is not None and vm.vm.gic is not None
    places, entries, prefix = vm.vm.gic, gic.entries, f"client.{index}"
    size = REDISTRIBUTOR * len(vm.vcpus)
    for name, address, length in (
        ("distributor", places.distributor, DISTRIBUTOR),
        ("redistributors", places.redistributors, size),
    ):
        vm.pages.append(DevicePages(name, gic.endpoint, index, address, length))
    vm.traps.append(("gic", gic.endpoint, index))
    plan.handle(gic, f"{prefix}.vm", vm.object, ("configure",), path=vm.path)
    entries.number(f"{prefix}.base", places.distributor)
    entries.number(f"{prefix}.redistributor", places.redistributors)
    entries.number(f"{prefix}.spis", places.spis)
    for vcpu in vm.vcpus:
        entries.number(f"{prefix}.vcpu.{vcpu.index}.mpidr", vcpu.index)


def _wire_timer(plan: Plan, timer: Partition, vm: Partition, index: int) -> None:
    assert timer.endpoint is not None
    prefix = f"client.{index}"
    vm.traps.append(("timer", timer.endpoint, index))
    vm.traps.append(("wfi", timer.endpoint, index))
    badge = PHYSICAL_TIMER_INTID | PHYSICAL_TIMER_INTID << 16
    plan.handle(timer, f"{prefix}.vm", vm.object, ("interrupt",), badge=badge, path=vm.path)
    timer.entries.number(f"{prefix}.intid", PHYSICAL_TIMER_INTID)
    for vcpu in vm.vcpus:
        name = f"{prefix}.vcpu.{vcpu.index}"
        plan.handle(timer, name, vcpu.object, ("time",), path=vm.path)
        timer.entries.number(f"{name}.mpidr", vcpu.index)
