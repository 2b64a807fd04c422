# SPDX-License-Identifier: MIT
"""What a VM starts from: kernel, initrd and device tree, each at its address in the guest's RAM."""

from __future__ import annotations

from pathlib import Path

import libfdt

from bulkhead.pack.artifacts import Blob, find_file, read_file, read_image, read_initrd
from bulkhead.pack.description import System, Vm
from bulkhead.pack.devicetree import device_tree, seeds
from bulkhead.pack.place import size_text
from bulkhead.pack.plan import BLOCK, align_up
from bulkhead.pack.shape import show
from bulkhead.pack.source import Path_
from bulkhead.pack.wire_partitions import GuestPlan, Load

_Placed = tuple[Load, int, Path_]  # with the memory that it needs, and the key that placed it


def guest_plan(system: System, build: Path, vm: Vm) -> GuestPlan:
    """Reads a VM's files and places them; what does not fit is the user's mistake."""
    kernel = read_image(system, build, vm)
    address = vm.load_address
    if address is None:
        address = vm.ram_base + BLOCK + kernel.text_offset
    placed: list[_Placed] = [
        (
            Load(f"{vm.name}.kernel", kernel, address),
            kernel.size,
            _key(system, vm, "load_address", "image"),
        )
    ]
    initrd = None
    if vm.initrd:
        blob = read_initrd(system, build, vm)
        start = vm.initrd_address
        if start is None:
            start = vm.ram_base + vm.ram_size - align_up(len(blob.data), BLOCK)
        initrd = (start, start + len(blob.data))
        key = _key(system, vm, "initrd_address", "initrd")
        placed.append((Load(f"{vm.name}.initrd", blob, start), len(blob.data), key))
    tree = _tree(system, build, vm, initrd)
    key = _key(system, vm, "dtb_address", "dtb")
    placed.append((Load(f"{vm.name}.dtb", tree, vm.dtb_address), len(tree.data), key))
    _check_alignment(system, vm, kernel, address)
    _check_places(system, vm, placed)
    places = tuple((vm.dtb_address + offset, size) for offset, size in seeds(tree.data))
    return GuestPlan(tuple(load for load, _, _ in placed), address, places)


def _key(system: System, vm: Vm, key: str, otherwise: str) -> Path_:
    said = system.source.data["vm"][vm.name]
    return (*vm.path, key if key in said else otherwise)


def _tree(system: System, build: Path, vm: Vm, initrd: tuple[int, int] | None) -> Blob:
    if vm.dtb == "generated":
        return Blob(system.source.file, device_tree(system, vm, initrd))
    path = (*vm.path, "dtb")
    file = find_file(system, build, vm.dtb, path, "image")
    data = read_file(system, file, path)
    try:
        size = libfdt.Fdt(data).totalsize()
        if size > len(data):
            raise ValueError
    except (libfdt.FdtException, ValueError):
        hint = 'compile it with dtc, or say dtb = "generated"'
        raise system.source.error("E046", f"{file} is no device tree blob", path, hint) from None
    return Blob(file, data)


def _check_alignment(system: System, vm: Vm, kernel: Blob, address: int) -> None:
    path = _key(system, vm, "load_address", "image")
    if not vm.raw and (address - kernel.text_offset) % BLOCK:
        hint = f"for example {show(vm.ram_base + BLOCK + kernel.text_offset)}"
        message = (
            f"an arm64 Image starts at a multiple of 2 MiB plus its text_offset "
            f"({show(kernel.text_offset)}), not at {show(address)}"
        )
        raise system.source.error("E044", message, path, hint)
    if address % 4:
        raise system.source.error("E044", f"{show(address)} is no address of code", path)
    if vm.dtb_address % 8:
        message = f"a device tree lies at a multiple of 8, not at {show(vm.dtb_address)}"
        raise system.source.error("E044", message, (*vm.path, "dtb_address"))


def _check_places(system: System, vm: Vm, placed: list[_Placed]) -> None:
    end = vm.ram_base + vm.ram_size
    for load, size, path in placed:
        if load.address < vm.ram_base or load.address > end or size > end - load.address:
            raise system.source.error(
                "E044",
                f"'{load.name}' ({size_text(size)} at {show(load.address)}) does not fit the RAM of "
                f"'{vm.name}' ({size_text(vm.ram_size)} at {show(vm.ram_base)})",
                path,
                "raise ram_mib, or move it by its _address key",
            )
    for index, (load, size, path) in enumerate(placed):
        for other, other_size, other_path in placed[:index]:
            if load.address < other.address + other_size and other.address < load.address + size:
                raise system.source.error(
                    "E044",
                    f"'{load.name}' at {show(load.address)} overlaps '{other.name}' "
                    f"({size_text(other_size)} at {show(other.address)})",
                    path,
                    "move one of them by its _address key, or raise ram_mib",
                    system.source.place(other_path, f"places {other.name}"),
                )
