# SPDX-License-Identifier: MIT
"""The device tree that a VM gets: what QEMU's `virt` would say of such a machine."""

from __future__ import annotations

import struct
from typing import Any

import libfdt

from bulkhead.pack.description import System, Vm

_PHANDLE_GIC, _PHANDLE_CLOCK = 1, 2
_LEVEL, _EDGE = 4, 1
_SEEDS = {"kaslr-seed": 8, "rng-seed": 32}
REDISTRIBUTOR = 0x2_0000


def device_tree(system: System, vm: Vm, initrd: tuple[int, int] | None) -> bytes:
    """The blob; `initrd` is its first address and the one behind it."""
    tree = libfdt.FdtSw()
    tree.finish_reservemap()
    with tree.add_node(""):
        tree.property_string("compatible", "linux,dummy-virt")
        tree.property_string("model", f"Bulkhead {vm.name}")
        tree.property_u32("#address-cells", 2)
        tree.property_u32("#size-cells", 2)
        if vm.gic:
            tree.property_u32("interrupt-parent", _PHANDLE_GIC)
        _chosen(tree, system, vm, initrd)
        with tree.add_node(f"memory@{vm.ram_base:x}"):
            tree.property_string("device_type", "memory")
            _reg(tree, (vm.ram_base, vm.ram_size))
        _cpus(tree, system, vm)
        if system.role("lifecycle"):
            with tree.add_node("psci"):
                _strings(tree, "compatible", "arm,psci-1.0", "arm,psci-0.2", "arm,psci")
                tree.property_string("method", "hvc")
        _interrupts(tree, vm)
        _devices(tree, system, vm)
    return bytes(tree.as_fdt().as_bytearray())


def seeds(blob: bytes) -> list[tuple[int, int]]:
    """What lifecycle fills in at each start: the offset of each seed's FDT_PROP token and its value's size."""
    tree = libfdt.FdtRo(blob)
    chosen = tree.path_offset("/chosen", libfdt.QUIET_NOTFOUND)
    offset = tree.first_property_offset(chosen, libfdt.QUIET_NOTFOUND) if chosen >= 0 else -1
    found = []
    while offset >= 0:
        one = tree.get_property_by_offset(offset)
        if one.name in _SEEDS:
            found.append((tree.off_dt_struct() + offset, len(one)))
        offset = tree.next_property_offset(offset, libfdt.QUIET_NOTFOUND)
    return found


def _chosen(tree: Any, system: System, vm: Vm, initrd: tuple[int, int] | None) -> None:
    with tree.add_node("chosen"):
        if system.role("lifecycle"):
            for name, size in _SEEDS.items():
                tree.property(name, bytes(size))
        if vm.uart:
            tree.property_string("stdout-path", f"/pl011@{vm.uart.address:x}")
        if vm.bootargs:
            tree.property_string("bootargs", vm.bootargs)
        if initrd:
            tree.property_u64("linux,initrd-start", initrd[0])
            tree.property_u64("linux,initrd-end", initrd[1])


def _cpus(tree: Any, system: System, vm: Vm) -> None:
    with tree.add_node("cpus"):
        tree.property_u32("#address-cells", 1)
        tree.property_u32("#size-cells", 0)
        for index in range(len(vm.schedule.cores)):
            with tree.add_node(f"cpu@{index:x}"):
                tree.property_string("device_type", "cpu")
                tree.property_string("compatible", "arm,armv8")
                tree.property_u32("reg", index)
                if system.role("lifecycle"):
                    tree.property_string("enable-method", "psci")


def _interrupts(tree: Any, vm: Vm) -> None:
    if vm.gic:
        with tree.add_node(f"intc@{vm.gic.distributor:x}"):
            tree.property_string("compatible", "arm,gic-v3")
            tree.property_u32("#interrupt-cells", 3)
            tree.property("interrupt-controller", b"")
            tree.property_u32("#redistributor-regions", 1)
            size = REDISTRIBUTOR * len(vm.schedule.cores)
            _reg(tree, (vm.gic.distributor, 0x1_0000), (vm.gic.redistributors, size))
            tree.property_u32("phandle", _PHANDLE_GIC)
    if vm.gic and vm.timer:
        with tree.add_node("timer"):
            _strings(tree, "compatible", "arm,armv8-timer", "arm,armv7-timer")
            tree.property("always-on", b"")
            cells = [cell for ppi in (13, 14, 11, 10) for cell in (1, ppi, _LEVEL)]
            tree.property("interrupts", struct.pack(">12I", *cells))
    if vm.pmu == "own":
        with tree.add_node("pmu"):
            tree.property_string("compatible", "arm,armv8-pmuv3")
            if vm.gic:
                tree.property("interrupts", struct.pack(">3I", 1, 7, _LEVEL))


def _devices(tree: Any, system: System, vm: Vm) -> None:
    with tree.add_node("apb-pclk"):
        tree.property_string("compatible", "fixed-clock")
        tree.property_u32("#clock-cells", 0)
        tree.property_u32("clock-frequency", 24_000_000)
        tree.property_string("clock-output-names", "clk24mhz")
        tree.property_u32("phandle", _PHANDLE_CLOCK)
    if vm.uart:
        with tree.add_node(f"pl011@{vm.uart.address:x}"):
            _strings(tree, "compatible", "arm,pl011", "arm,primecell")
            _place(tree, vm, vm.uart.address, 0x1000, vm.uart.intid)
            _clocks(tree)
    if vm.virtio_console:
        with tree.add_node(f"virtio@{vm.virtio_console.address:x}"):
            _strings(tree, "compatible", "virtio,mmio")
            _place(tree, vm, vm.virtio_console.address, 0x1000, vm.virtio_console.intid)
            tree.property("dma-coherent", b"")
    for emulated in vm.emulated:
        if emulated.compatible:
            with tree.add_node(f"{emulated.service}@{emulated.address:x}"):
                _strings(tree, "compatible", *_words(emulated.compatible))
                _place(tree, vm, emulated.address, emulated.size, emulated.intid)
    for name in vm.devices:
        device = system.devices[name]
        if device.compatible and device.address is not None:
            with tree.add_node(f"{name}@{device.address:x}"):
                _strings(tree, "compatible", *_words(device.compatible))
                _place(tree, vm, device.address, device.size, device.intid, device.edge)
                if "arm,primecell" in device.compatible:
                    _clocks(tree)


def _place(
    tree: Any, vm: Vm, address: int, size: int, intid: int | None, edge: bool = False
) -> None:
    _reg(tree, (address, size))
    if vm.gic and intid is not None:
        trigger = _EDGE if edge else _LEVEL
        tree.property("interrupts", struct.pack(">3I", 0, intid - 32, trigger))


def _clocks(tree: Any) -> None:
    _strings(tree, "clock-names", "uartclk", "apb_pclk")
    tree.property("clocks", struct.pack(">2I", _PHANDLE_CLOCK, _PHANDLE_CLOCK))


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(", ")]


def _reg(tree: Any, *ranges: tuple[int, int]) -> None:
    tree.property("reg", b"".join(struct.pack(">QQ", *one) for one in ranges))


def _strings(tree: Any, name: str, *texts: str) -> None:
    tree.property(name, b"".join(text.encode() + b"\0" for text in texts))
