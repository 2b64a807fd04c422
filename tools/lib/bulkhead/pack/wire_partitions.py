# SPDX-License-Identifier: MIT
"""Makes the partitions: address spaces, vCPUs, programs, stacks, guest RAM."""

from __future__ import annotations

from dataclasses import dataclass

from bulkhead.pack.artifacts import Blob, Program
from bulkhead.pack.description import Native, Vm
from bulkhead.pack.environment import encode_environment
from bulkhead.pack.plan import (
    BLOCK,
    ENVIRONMENT,
    PAGE,
    STACK_STEP,
    STACKS,
    WINDOW,
    Extent,
    Memory,
    Partition,
    Plan,
    Start,
    Vcpu,
    align_up,
)
from bulkhead.pack.source import Path_


@dataclass(frozen=True, slots=True)
class Writable:
    """Memory of a native partition that a restart restores: `pristine` bytes, then zeros."""

    memory: Memory
    pristine: bytes


@dataclass(frozen=True, slots=True)
class Load:
    """A blob that belongs at an address of a VM."""

    name: str
    blob: Blob
    address: int


@dataclass(frozen=True, slots=True)
class GuestPlan:
    """What a VM starts from."""

    loads: tuple[Load, ...]
    entry: int
    seeds: tuple[tuple[int, int], ...] = ()  # address of the property in the device tree, size


@dataclass(slots=True)
class Material:
    """What the wiring needs beside the plan."""

    programs: dict[str, Program]
    guests: dict[str, GuestPlan]
    writables: dict[str, list[Writable]]
    ram: dict[str, Memory]


def make_native(plan: Plan, native: Native, program: Program) -> list[Writable]:
    """A native partition with its program; returns what a restart restores."""
    partition = _partition(plan, native, None)
    partition.notification = plan.object("notification", native.name)
    if native.serves:
        partition.endpoint = plan.object("endpoint", native.name)
    writables = _segments(plan, partition, program)
    for vcpu in partition.vcpus:
        stack = plan.extent(
            Extent(f"{native.name}.stack{vcpu.index}", "stack", native.stack_kib * 1024)
        )
        memory = plan.memory(stack)
        base = STACKS + vcpu.index * STACK_STEP
        plan.map(partition, memory, base, "rw")
        vcpu.start = Start(program.entry, ENVIRONMENT, vcpu.index, base + stack.size)
    if native.state_kib:
        state = plan.extent(Extent(f"{native.name}.state", "state", native.state_kib * 1024))
        mapping = plan.map_region(partition, plan.memory(state), "rw")
        partition.entries.region("state", mapping.ipa, state.size)
    entries = partition.entries
    entries.string("name", native.name)
    entries.number("cores", len(partition.vcpus))
    for vcpu in partition.vcpus:
        entries.number(f"vcpu.{vcpu.index}.core", vcpu.core)
    for key, value in native.properties.items():
        if isinstance(value, str):
            entries.string(f"property.{key}", value)
        else:
            entries.number(f"property.{key}", int(value))
    if native.window_mib:
        give_window(partition, native.window_mib << 20, small=native.window_mib << 20)
    return writables


def _segments(plan: Plan, partition: Partition, program: Program) -> list[Writable]:
    writables = []
    kinds = {"r": "rodata", "rx": "text", "rw": "data"}
    for segment in program.segments:
        kind = kinds[segment.access]
        name = f"{partition.name}.{kind}"
        taken = sum(extent.name.startswith(name) for extent in plan.extents)
        extent = plan.extent(
            Extent(
                name + (str(taken) if taken else ""),
                kind,
                segment.size,
                segment.data,
                origin=str(program.file),
            )
        )
        memory = plan.memory(extent)
        plan.map(partition, memory, segment.address, segment.access)
        if kind == "data":
            writables.append(Writable(memory, segment.data))
    return writables


def give_window(partition: Partition, size: int, small: int) -> None:
    """Free addresses, and table pages enough to map `small` bytes of it by single pages and the rest by blocks."""
    partition.window = align_up(size, BLOCK)
    partition.entries.number("window", WINDOW)
    partition.entries.number("window.size", partition.window)
    level2 = align_up(partition.window, 1 << 30) >> 30
    partition.window_tables = level2 + align_up(small, BLOCK) // BLOCK + 1


def make_vm(plan: Plan, vm: Vm, guest: GuestPlan, preload: bool) -> Memory:
    """A VM with its RAM. Without a lifecycle service the RAM is in the image, loaded, and vCPU 0 starts by itself."""
    partition = _partition(plan, None, vm)
    ram = Extent(f"{vm.name}.ram", "ram", vm.ram_size, align=BLOCK, in_file=preload)
    if preload:
        ram.data = _loaded(vm, guest)
        partition.vcpus[0].start = Start(guest.entry, vm.dtb_address, 0, 0)
    memory = plan.memory(plan.extent(ram))
    plan.map(partition, memory, vm.ram_base, "rwx")
    return memory


def _loaded(vm: Vm, guest: GuestPlan) -> bytes:
    end = max(load.address - vm.ram_base + len(load.blob.data) for load in guest.loads)
    out = bytearray(end)
    for load in guest.loads:
        at = load.address - vm.ram_base
        out[at : at + len(load.blob.data)] = load.blob.data
    return bytes(out)


def _partition(plan: Plan, native: Native | None, vm: Vm | None) -> Partition:
    described = native or vm
    assert described is not None
    partition = Partition(
        name=described.name,
        object=plan.object("partition", described.name),
        vmid=len(plan.partitions) + 1,
        source=plan.system.source,
        path=described.path,
        schedule=described.schedule,
        native=native,
        vm=vm,
    )
    plan.partitions[described.name] = partition
    for index, core in enumerate(described.schedule.cores):
        made = plan.object("vcpu", f"{described.name}.{index}")
        partition.vcpus.append(Vcpu(made, index, core))
    return partition


def share(plan: Plan, partition: Partition, root: Memory, access: str, path: Path_ = ()) -> int:
    """Where `partition` sees `root`, mapped now if it is not yet."""
    assert root.extent is not None
    seen = partition.mapping_of(root.extent)
    if seen is None:
        seen = plan.map_region(partition, unmapped(plan, partition, root), access, path)
    return seen.ipa


def unmapped(plan: Plan, partition: Partition, root: Memory) -> Memory:
    """`root` itself if it is mapped nowhere yet, else a share of it: an object is mapped at most once."""
    assert root.extent is not None
    everybody = plan.partitions.values()
    if any(entry.memory is root for part in everybody for entry in part.mappings):
        return plan.derive(root, f"{root.extent.name}@{partition.name}")
    return root


def finish_environments(plan: Plan) -> None:
    """Maps the environments, whose sizes are known now."""
    for partition in plan.natives():
        assert partition.native is not None
        free = len(partition.capabilities) + 1
        partition.entries.number("slots.free", free)
        partition.entries.number("slots", slots(partition))
        data = encode_environment(plan.abi, partition.entries, PAGE)
        extent = plan.extent(Extent(f"{partition.name}.env", "environment", len(data), data))
        plan.map(partition, plan.memory(extent), ENVIRONMENT, "r")


def slots(partition: Partition) -> int:
    """The size of a capability table: what is in it, room for what is made at run time, slot 0."""
    quota = partition.native.objects if partition.native else 0
    room = 16 + quota if partition.native else 0
    return min(1024, align_up(len(partition.capabilities) + 1 + room, 16))
