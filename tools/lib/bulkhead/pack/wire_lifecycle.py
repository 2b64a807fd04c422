# SPDX-License-Identifier: MIT
"""Wires the lifecycle service: what it loads, starts, supervises and restores."""

from __future__ import annotations

from bulkhead.pack.plan import (
    ENVIRONMENT,
    Extent,
    Memory,
    Partition,
    Plan,
)
from bulkhead.pack.wire_clients import Clients
from bulkhead.pack.wire_partitions import Load, Material, Writable, give_window, share

VM_SIGNALS = 0
NATIVE_SIGNALS = 32
OWN_SIGNAL = 62
_TREE_SIZE = 0x1_0000  # what is read of the machine's device tree


def wire_lifecycle(plan: Plan, clients: Clients, material: Material) -> None:
    """Everything that the lifecycle service gets; nothing if there is none."""
    lifecycle = plan.role("lifecycle")
    if lifecycle is None:
        return
    vms, natives = list(plan.vms()), [one for one in plan.natives() if one is not lifecycle]
    lifecycle.entries.number("vms", len(vms))
    lifecycle.entries.number("partitions", len(natives))
    plan.handle(lifecycle, "partition.self", lifecycle.object, ("map",))
    _own_signal(plan, lifecycle)
    for index, partition in enumerate(natives):
        _wire_native(plan, lifecycle, partition, index, material.writables[partition.name])
    payloads: dict[bytes, Memory] = {}
    for index, partition in enumerate(vms):
        _wire_vm(plan, lifecycle, partition, index, material)
        _wire_loads(plan, lifecycle, index, material.guests[partition.name].loads, payloads)
        _wire_seeds(lifecycle, index, material.guests[partition.name].seeds)
        _wire_services(plan, lifecycle, partition, index, clients)
    if vms:
        tree = plan.map_region(lifecycle, plan.device_tree(_TREE_SIZE), "rw")
        lifecycle.entries.region("machine.tree", tree.ipa, _TREE_SIZE)
    _console(plan, lifecycle)
    small = max(
        (one.memory.size for part in material.writables.values() for one in part), default=0
    )
    biggest = max([small, *(memory.size for memory in material.ram.values())])
    if not lifecycle.window:
        give_window(lifecycle, biggest, small)


def _own_signal(plan: Plan, lifecycle: Partition) -> None:
    """Its vCPUs wake the one that takes the signals."""
    assert lifecycle.notification is not None
    bit = lifecycle.signal("own vCPUs", OWN_SIGNAL)
    if len(lifecycle.vcpus) > 1:
        rights = ("signal",)
        plan.handle(lifecycle, "notify.lifecycle", lifecycle.notification, rights, badge=1 << bit)


def _supervise(
    plan: Plan, lifecycle: Partition, partition: Partition, prefix: str, bit: int
) -> None:
    described = partition.native or partition.vm
    assert described is not None
    partition.supervisor = lifecycle.notification
    partition.supervisor_signal = lifecycle.signal(f"fault {partition.name}", bit)
    entries = lifecycle.entries
    entries.number(f"{prefix}.fault.signal", bit)
    entries.string(f"{prefix}.name", partition.name)
    entries.string(f"{prefix}.policy", described.policy)
    entries.number(f"{prefix}.restarts", described.restarts)
    entries.number(f"{prefix}.vcpus", len(partition.vcpus))
    for vcpu in partition.vcpus:
        name = f"{prefix}.vcpu.{vcpu.index}"
        plan.handle(lifecycle, name, vcpu.object, ("control", "inspect"), path=partition.path)
        entries.number(f"{name}.core", vcpu.core)


def _wire_native(
    plan: Plan, lifecycle: Partition, partition: Partition, index: int, data: list[Writable]
) -> None:
    prefix = f"partition.{index}"
    _supervise(plan, lifecycle, partition, prefix, NATIVE_SIGNALS + index)
    entries = lifecycle.entries
    for vcpu in partition.vcpus:
        assert vcpu.start is not None
        entries.number(f"{prefix}.vcpu.{vcpu.index}.stack", vcpu.start.stack)
        entries.number(f"{prefix}.entry", vcpu.start.entry) if vcpu.index == 0 else None
    entries.number(f"{prefix}.env", ENVIRONMENT)
    entries.number(f"{prefix}.datas", len(data))
    for number, writable in enumerate(data):
        name = f"{prefix}.data.{number}"
        _share_handle(plan, lifecycle, name, writable.memory, partition)
        entries.number(f"{name}.size", writable.memory.size)
        pristine = writable.pristine.rstrip(b"\0")
        ipa = 0
        if pristine:
            assert writable.memory.extent is not None
            extent = Extent(f"{writable.memory.extent.name}.pristine", "pristine", 0, pristine)
            ipa = share(plan, lifecycle, plan.memory(plan.extent(extent)), "r")
        entries.region(f"{name}.pristine", ipa, len(pristine))


def _share_handle(
    plan: Plan, lifecycle: Partition, name: str, root: Memory, partition: Partition
) -> None:
    assert root.extent is not None
    memory = plan.derive(root, f"{root.extent.name}@{lifecycle.name}")
    rights = ("read", "write", "map")
    plan.handle(lifecycle, name, memory.object, rights, path=partition.path)


def _wire_vm(
    plan: Plan, lifecycle: Partition, partition: Partition, index: int, material: Material
) -> None:
    vm, prefix, entries = partition.vm, f"vm.{index}", lifecycle.entries
    assert vm is not None and lifecycle.endpoint is not None
    _supervise(plan, lifecycle, partition, prefix, VM_SIGNALS + index)
    entries.number(f"{prefix}.autostart", int(vm.autostart))
    entries.number(f"{prefix}.pmu", int(bool(vm.pmu)))
    entries.number(f"{prefix}.pac", int(vm.pac))
    entries.number(f"{prefix}.trng", int(vm.trng))
    plan.handle(lifecycle, f"{prefix}.partition", partition.object, ("map",), path=partition.path)
    _share_handle(plan, lifecycle, f"{prefix}.ram", material.ram[vm.name], partition)
    entries.number(f"{prefix}.ram.base", vm.ram_base)
    entries.number(f"{prefix}.ram.size", vm.ram_size)
    for vcpu in partition.vcpus:
        entries.number(f"{prefix}.vcpu.{vcpu.index}.mpidr", vcpu.index)
    entries.number(f"{prefix}.entry", material.guests[vm.name].entry)
    entries.number(f"{prefix}.dtb.address", vm.dtb_address)
    for trap in ("sysreg", "smccc"):
        partition.traps.append((trap, lifecycle.endpoint, index))


def _wire_loads(
    plan: Plan,
    lifecycle: Partition,
    index: int,
    loads: tuple[Load, ...],
    payloads: dict[bytes, Memory],
) -> None:
    entries = lifecycle.entries
    entries.number(f"vm.{index}.loads", len(loads))
    for number, load in enumerate(loads):
        data = load.blob.data
        if data not in payloads:
            extent = Extent(load.name, "payload", 0, data, origin=str(load.blob.file))
            payloads[data] = plan.memory(plan.extent(extent))
        name = f"vm.{index}.load.{number}"
        ipa = share(plan, lifecycle, payloads[data], "r")
        entries.region(name, ipa, len(data), plan.checksum(data)[0])
        entries.string(f"{name}.name", load.name)
        entries.number(f"{name}.address", load.address)


def _wire_seeds(lifecycle: Partition, index: int, seeds: tuple[tuple[int, int], ...]) -> None:
    lifecycle.entries.number(f"vm.{index}.seeds", len(seeds))
    for number, (address, size) in enumerate(seeds):
        lifecycle.entries.number(f"vm.{index}.seed.{number}", address)
        lifecycle.entries.number(f"vm.{index}.seed.{number}.size", size)


def _wire_services(
    plan: Plan, lifecycle: Partition, partition: Partition, index: int, clients: Clients
) -> None:
    services = clients.services_of(partition.name)
    lifecycle.entries.number(f"vm.{index}.services", len(services))
    badge = plan.abi.constant("client.control_badge")
    for number, (service, client) in enumerate(services):
        endpoint = plan.partitions[service].endpoint
        assert endpoint is not None
        name = f"vm.{index}.service.{number}"
        plan.handle(lifecycle, name, endpoint, ("call",), badge=badge, path=partition.path)
        lifecycle.entries.number(f"{name}.client", client)


def _console(plan: Plan, lifecycle: Partition) -> None:
    console = plan.role("console")
    if console and console.endpoint and lifecycle.native:
        if console.name not in lifecycle.native.calls:
            badge = plan.abi.constant("client.control_badge")
            plan.handle(lifecycle, "call.console", console.endpoint, ("call",), badge=badge)
