# SPDX-License-Identifier: MIT
"""The boot table's records, in the order in which the core instantiates them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bulkhead.pack.plan import PAGE, Partition, Plan
from bulkhead.pack.wire_partitions import slots

Record = tuple[str, dict[str, Any]]  # "map", values
_ACCESS = {"r": "read", "w": "write", "x": "execute"}
# By the core. What VMs are loaded with (`payload`), lifecycle checks.
_CHECKED = ("text", "rodata", "data", "environment", "pristine", "ram")


def encode(plan: Plan, record: Record) -> bytes:
    """A record's 64 bytes."""
    kind, values = record
    type_ = plan.abi.value("RecordType", kind)
    head = {"type": type_, "object": values["object"], "flags": values.get("flags", 0)}
    rest = {key: value for key, value in values.items() if key not in ("object", "flags")}
    return plan.abi.encode(f"Boot{kind.capitalize()}", {"head": head, **rest})


def records(plan: Plan) -> Iterator[Record]:
    """All of them; their number does not depend on addresses."""
    yield from _memories(plan)
    for partition in plan.partitions.values():
        yield _partition(plan, partition)
    for partition in plan.partitions.values():
        yield from _vcpus(partition)
    for partition in plan.natives():
        if partition.endpoint and partition.native:
            values = {"object": partition.endpoint.index, "max_us": partition.native.max_us}
            yield "endpoint", values
    for partition in plan.natives():
        if partition.notification:
            first = partition.vcpus[0].object.index
            yield "notification", {"object": partition.notification.index, "vcpu": first}
    for interrupt in plan.interrupts.values():
        yield "interrupt", {
            "object": interrupt.object.index,
            "flags": int(interrupt.edge),
            "intid": interrupt.intid,
            "core": interrupt.core,
        }
    for space in (_maps, _devices, _traps):
        for partition in plan.partitions.values():
            yield from space(plan, partition)
    for partition in plan.natives():
        if partition.endpoint:
            for vcpu in partition.vcpus:
                yield "server", {"object": partition.endpoint.index, "vcpu": vcpu.object.index}
    for partition in plan.partitions.values():
        yield from _capabilities(plan, partition)
    yield from _payloads(plan)
    yield from _binds(plan)
    yield from _starts(plan)


def _memories(plan: Plan) -> Iterator[Record]:
    for memory in plan.memories:
        kind = plan.abi.value("MemoryType", "device" if memory.base else "normal")
        yield "memory", {
            "object": memory.object.index,
            "flags": kind | int(memory.donatable) << 8,
            "base": memory.physical,
            "size": memory.size,
            "parent": memory.parent.index if memory.parent else 0,
        }


def _partition(plan: Plan, partition: Partition) -> Record:
    kind = plan.abi.value("PartitionKind", "native" if partition.native else "vm")
    machine = bool(partition.native and partition.native.machine)
    return "partition", {
        "object": partition.object.index,
        "flags": kind | int(machine) << 8 | int(partition.confined) << 9,
        "name": partition.name,
        "vmid": partition.vmid,
        "slots": slots(partition),
        "table_pages": partition.table_pages,
        "supervisor": partition.supervisor.index if partition.supervisor else 0,
        "supervisor_signal": partition.supervisor_signal,
        "object_quota": partition.native.objects if partition.native else 0,
        "spi_count": partition.vm.gic.spis if partition.vm and partition.vm.gic else 0,
    }


def _vcpus(partition: Partition) -> Iterator[Record]:
    schedule, described = partition.schedule, partition.native or partition.vm
    assert described is not None
    flags = int(described.pmu == "machine") | int(described.pmu == "own") << 1
    flags |= int(partition.vm is not None and partition.vm.pac) << 2
    for vcpu in partition.vcpus:
        yield "vcpu", {
            "object": vcpu.object.index,
            "flags": flags,
            "partition": partition.object.index,
            "index": vcpu.index,
            "core": vcpu.core,
            "priority": schedule.priority,
            "budget_us": schedule.budget_us,
            "period_us": schedule.period_us,
            "mpidr": vcpu.index,
        }


def _maps(plan: Plan, partition: Partition) -> Iterator[Record]:
    for mapping in partition.mappings:
        access = 0
        for letter in mapping.access:
            access |= plan.abi.constant(f"access.{_ACCESS[letter]}")
        yield "map", {
            "object": mapping.memory.object.index,
            "flags": access,
            "partition": partition.object.index,
            "ipa": mapping.ipa,
        }


def _devices(_: Plan, partition: Partition) -> Iterator[Record]:
    for pages in partition.pages:
        yield "device", {
            "object": partition.object.index,
            "endpoint": pages.endpoint.index,
            "badge": pages.badge,
            "ipa": pages.ipa,
            "pages": pages.size // PAGE,
        }


def _traps(plan: Plan, partition: Partition) -> Iterator[Record]:
    for trap, endpoint, badge in partition.traps:
        yield "trap", {
            "object": partition.object.index,
            "flags": plan.abi.value("Trap", trap),
            "endpoint": endpoint.index,
            "badge": badge,
        }


def _capabilities(plan: Plan, partition: Partition) -> Iterator[Record]:
    for capability in partition.capabilities:
        yield "capability", {
            "object": capability.object.index,
            "flags": plan.rights(capability.object.type, capability.rights),
            "partition": partition.object.index,
            "slot": capability.slot,
            "badge": capability.badge,
        }


def _payloads(plan: Plan) -> Iterator[Record]:
    for extent in plan.extents:
        if extent.in_file and extent.data and extent.kind in _CHECKED:
            checksum, size = plan.checksum(extent.data)
            yield "payload", {
                "object": 0,
                "base": extent.base,
                "size": size,
                "crc32": checksum,
                "name": extent.name[-23:],
            }


def _binds(plan: Plan) -> Iterator[Record]:
    for interrupt in plan.interrupts.values():
        if interrupt.target:
            yield "bind", {
                "object": interrupt.object.index,
                "flags": int(interrupt.target.type == "partition"),
                "target": interrupt.target.index,
                "signal": interrupt.signal,
            }


def _starts(plan: Plan) -> Iterator[Record]:
    """Services first, and those that others call before their callers; lifecycle last, for it starts the VMs."""
    order = ("console", "uart", "virtio-console", "timer", "gic", "none", "", "lifecycle")
    ranks = {role: rank for rank, role in enumerate(order)}

    def rank(partition: Partition) -> int:
        if partition.native is None:
            return len(order)
        return ranks[partition.native.role if partition.native.service else ""]

    for partition in sorted(plan.partitions.values(), key=rank):
        for vcpu in partition.vcpus:
            if vcpu.start:
                yield "start", {
                    "object": vcpu.object.index,
                    "entry": vcpu.start.entry,
                    "x0": vcpu.start.x0,
                    "x1": vcpu.start.x1,
                    "stack": vcpu.start.stack,
                }
