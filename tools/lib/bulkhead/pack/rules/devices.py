# SPDX-License-Identifier: MIT
"""Rules of physical devices: whole pages, nothing twice, one owner, and trust where a device does DMA."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from bulkhead.errors import Place, UserError
from bulkhead.pack.description import Device, System
from bulkhead.pack.shape import show
from bulkhead.pack.source import Path_

_DISTRIBUTOR = 0x1_0000
_HIGHEST = 1 << 39


def check(system: System) -> Iterator[UserError]:
    """All devices, and who owns them."""
    for device in system.devices.values():
        yield from _one(system, device)
    yield from _overlaps(system)
    yield from _interrupts(system)
    yield from _owners(system)


def _one(system: System, device: Device) -> Iterator[UserError]:
    source, path = device.source, device.path
    if device.address is None and device.intid is None:
        message = f"the device '{device.name}' has neither an address nor an intid"
        yield source.error("E003", message, path)
    if device.address is not None and (device.address % 4096 or device.size % 4096):
        message = f"the device '{device.name}' does not fill whole pages of 4096 bytes"
        hint = "who owns a page owns all that is in it: describe the page"
        yield source.error("E004", message, path, hint)
    if device.address is not None and device.size > _HIGHEST - device.address:
        yield source.error("E004", f"the device '{device.name}' ends beyond 2^39", path)
    last = 31 + system.board.spis
    if device.intid is not None and device.intid > last:
        message = f"the device '{device.name}' has INTID {device.intid}; the board's last is {last}"
        yield source.error("E004", message, (*path, "intid"))


def _place(device: Device) -> Place:
    return device.source.place(device.path, f"'{device.name}'")


def _overlaps(system: System) -> Iterator[UserError]:
    board = system.board
    ranges = [
        (device.address, device.address + device.size, device)
        for device in system.devices.values()
        if device.address is not None
    ]
    for (start, end, one), (other_start, other_end, other) in combinations(ranges, 2):
        if start < other_end and other_start < end:
            message = f"the devices '{one.name}' and '{other.name}' overlap"
            yield other.source.error("E032", message, other.path, "", _place(one))
    redistributors = board.redistributor_stride * board.cores
    own = [
        ("RAM", board.ram_base, system.memory_mib << 20),
        ("the GIC's distributor", board.distributor, _DISTRIBUTOR),
        ("the GIC's redistributors", board.redistributors, redistributors),
    ]
    for start, end, device in ranges:
        for what, base, size in own:
            if start < base + size and base < end:
                message = f"the device '{device.name}' at {show(start)} overlaps {what}"
                hint = "that is the core's own"
                yield device.source.error("E032", message, device.path, hint)


def _interrupts(system: System) -> Iterator[UserError]:
    seen: dict[int, Device] = {}
    for device in system.devices.values():
        if device.intid is None:
            continue
        if device.intid in seen:
            other = seen[device.intid]
            message = f"'{other.name}' and '{device.name}' both have INTID {device.intid}"
            path = (*device.path, "intid")
            yield device.source.error("E032", message, path, "", _place(other))
        seen.setdefault(device.intid, device)


def _owners(system: System) -> Iterator[UserError]:
    owners: dict[str, tuple[str, Path_]] = {}
    for partition in system.partitions:
        names: list[tuple[str, Path_]] = [
            (name, (*partition.path, "devices", index))
            for index, name in enumerate(partition.devices)
        ]
        native = system.native(partition.name)
        if native and native.role == "console" and system.board.uart not in partition.devices:
            names.append((system.board.uart, partition.path))
        for name, path in names:
            device = system.devices[name]
            if name in owners:
                other, other_path = owners[name]
                message = f"'{other}' and '{partition.name}' both own the device '{name}'"
                place = system.source.place(other_path, f"'{other}'")
                hint = "a device has one owner; others use it through a service"
                yield system.source.error("E019", message, path, hint, place)
            owners.setdefault(name, (partition.name, path))
            if device.dma and not partition.trusted:
                message = (
                    f"'{name}' does DMA, so its owner '{partition.name}' could reach all memory: "
                    "the owner must be trusted"
                )
                hint = f"say `trusted = true` in '{partition.name}' if you do trust it"
                yield system.source.error("E020", message, path, hint, _place(device))
