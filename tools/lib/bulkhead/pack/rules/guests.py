# SPDX-License-Identifier: MIT
"""Rules of a VM's address space and interrupts: aligned, within reach, nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from bulkhead.errors import UserError
from bulkhead.pack.description import System, Vm
from bulkhead.pack.shape import show
from bulkhead.pack.source import Path_

_HIGHEST = 1 << 39
_REDISTRIBUTOR = 0x2_0000
_Range = tuple[str, int, int, int, Path_]  # what, address, size, alignment, key
_Line = tuple[str, str, int, Path_]  # who raises it, what, INTID, key


def check(system: System) -> Iterator[UserError]:
    """Every VM."""
    for vm in system.vms:
        yield from _space(system, vm)
        yield from _interrupts(system, vm)


def _ranges(system: System, vm: Vm) -> Iterator[_Range]:
    yield "RAM", vm.ram_base, vm.ram_size, 2 << 20, (*vm.path, "ram_base")
    for one in vm.consoles:
        yield f"the {one.kind}", one.address, one.size, 4096, one.path
    if vm.gic:
        path = (*vm.path, "gic")
        yield "the distributor", vm.gic.distributor, 0x1_0000, 0x1_0000, path
        size = _REDISTRIBUTOR * len(vm.schedule.cores)
        yield "the redistributors", vm.gic.redistributors, size, 0x1_0000, path
    for one in vm.emulated:
        yield f"'{one.service}'", one.address, one.size, 4096, one.path
    for name, place in vm.memory.items():
        size = system.memories[name].size
        yield f"the memory '{name}'", place.address, size, 4096, (*vm.path, "memory", name)
    for index, name in enumerate(vm.devices):
        device = system.devices[name]
        if device.address is not None:
            yield f"'{name}'", device.address, device.size, 4096, (*vm.path, "devices", index)


def _space(system: System, vm: Vm) -> Iterator[UserError]:
    ranges = list(_ranges(system, vm))
    for what, address, size, step, path in ranges:
        if address % step:
            message = f"{what} of '{vm.name}' lies at {show(address)}, no multiple of {show(step)}"
            yield system.source.error("E004", message, path)
        if size % 4096:
            message = f"{what} of '{vm.name}' has {size} bytes, which are no whole pages of 4096"
            yield system.source.error("E004", message, path)
        if size > _HIGHEST - address:
            message = f"{what} of '{vm.name}' ends beyond 2^39, which a guest cannot reach"
            yield system.source.error("E004", message, path)
    for one, other in combinations(ranges, 2):
        if one[1] < other[1] + other[2] and other[1] < one[1] + one[2]:
            message = (
                f"in '{vm.name}', {other[0]} at {show(other[1])} overlaps {one[0]} "
                f"({show(one[1])} to {show(one[1] + one[2] - 1)})"
            )
            place = system.source.place(one[4], one[0])
            hint = "move one of them"
            yield system.source.error("E030", message, other[4], hint, place)


def _lines(system: System, vm: Vm) -> Iterator[_Line]:
    for one in vm.consoles:
        if one.intid is not None:
            yield f"the {one.kind}", f"the {one.kind}", one.intid, one.path
    for one in vm.emulated:
        if one.intid is not None:
            yield one.service, f"'{one.service}'", one.intid, one.path
    for index, name in enumerate(vm.devices):
        intid = system.devices[name].intid
        if intid is not None:
            yield name, f"'{name}'", intid, (*vm.path, "devices", index)


def _interrupts(system: System, vm: Vm) -> Iterator[UserError]:
    lines = list(_lines(system, vm))
    last = 31 + vm.gic.spis if vm.gic else 255
    for _, what, intid, path in lines:
        if intid > last:
            message = f"{what} of '{vm.name}' has INTID {intid}, but its last is {last}"
            yield system.source.error("E031", message, path, "raise `spis` in its gic")
        elif not vm.gic and what.strip("'") in vm.devices:
            message = f"{what} of '{vm.name}' has INTID {intid}, but the VM has no GIC"
            yield system.source.error("E031", message, path, "leave `gic = false` out")
    for one, other in combinations(lines, 2):
        if one[2] == other[2]:
            message = f"in '{vm.name}', {one[1]} and {other[1]} both have INTID {one[2]}"
            place = system.source.place(one[3], one[1])
            yield system.source.error("E031", message, other[3], "", place)
    for service in {line[0] for line in lines}:
        own = [line[2] for line in lines if line[0] == service]
        for owner, what, intid, path in lines:
            if owner != service and min(own) < intid < max(own):
                message = (
                    f"'{service}' raises INTIDs {min(own)} to {max(own)} of '{vm.name}', "
                    f"and INTID {intid} of {what} lies between"
                )
                hint = "a service's right is one range: number its devices one after the other"
                yield system.source.error("E031", message, path, hint)
