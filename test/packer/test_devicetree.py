# SPDX-License-Identifier: MIT
"""The generated device tree says what the description says, in the words of QEMU's own."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import libfdt
import pytest

from bulkhead.pack.devicetree import device_tree, seeds
from bulkhead.pack.reader import read_system

FIVE = "".join(f"[service.{name}]\n" for name in ("console", "uart", "timer", "gic", "lifecycle"))
GUEST = '[vm.guest]\nimage = "@guest"\nram_mib = 16\n'


@pytest.fixture
def tree(write: Callable[[str], Path]) -> Callable[[str], libfdt.FdtRo]:
    """The tree of the VM `guest`."""

    def make(text: str, initrd: tuple[int, int] | None = None) -> libfdt.FdtRo:
        system = read_system(write(text))
        return libfdt.FdtRo(device_tree(system, system.vms[0], initrd))

    return make


def cells(tree: libfdt.FdtRo, path: str, name: str) -> list[int]:
    """A property as 32-bit numbers."""
    data = bytes(tree.getprop(tree.path_offset(path), name))
    return list(struct.unpack(f">{len(data) // 4}I", data))


def text(tree: libfdt.FdtRo, path: str, name: str) -> list[str]:
    """A property as strings."""
    data = bytes(tree.getprop(tree.path_offset(path), name))
    return data.decode().rstrip("\0").split("\0")


def test_a_whole_machine(tree: Callable[..., libfdt.FdtRo]) -> None:
    """Memory, CPUs, interrupt controller, timer, UART, PSCI."""
    fdt = tree(FIVE + GUEST + "cores = [0, 0]\n")
    assert cells(fdt, "/memory@40000000", "reg") == [0, 0x4000_0000, 0, 16 << 20]
    assert cells(fdt, "/cpus/cpu@1", "reg") == [1]
    assert text(fdt, "/cpus/cpu@1", "enable-method") == ["psci"]
    assert text(fdt, "/psci", "method") == ["hvc"]
    assert "arm,psci-1.0" in text(fdt, "/psci", "compatible")
    gic = [0, 0x0800_0000, 0, 0x1_0000, 0, 0x080A_0000, 0, 0x4_0000]
    assert cells(fdt, "/intc@8000000", "reg") == gic
    assert cells(fdt, "/", "interrupt-parent") == cells(fdt, "/intc@8000000", "phandle")
    assert cells(fdt, "/timer", "interrupts") == [1, 13, 4, 1, 14, 4, 1, 11, 4, 1, 10, 4]
    assert cells(fdt, "/pl011@9000000", "interrupts") == [0, 1, 4]
    assert text(fdt, "/pl011@9000000", "compatible") == ["arm,pl011", "arm,primecell"]
    assert text(fdt, "/chosen", "stdout-path") == ["/pl011@9000000"]


def test_a_pmu_of_its_own_has_a_node(tree: Callable[..., libfdt.FdtRo]) -> None:
    """PPI 23, level; nothing for one that measures the machine."""
    fdt = tree(FIVE + GUEST + "pmu = true\n")
    assert text(fdt, "/pmu", "compatible") == ["arm,armv8-pmuv3"]
    assert cells(fdt, "/pmu", "interrupts") == [1, 7, 4]
    assert tree(FIVE + GUEST + 'pmu = "machine"\n').path_offset("/pmu", [libfdt.NOTFOUND]) < 0


def _string(blob: bytes, offset: int) -> str:
    """A property's name."""
    strings = libfdt.FdtRo(blob).off_dt_strings() + offset
    return blob[strings : blob.index(b"\0", strings)].decode()


def test_seeds_have_a_place_that_lifecycle_finds(tree: Callable[..., libfdt.FdtRo]) -> None:
    """Zeros that the packer knows the offsets of; without a lifecycle service nobody would fill them in."""
    fdt = tree(FIVE + GUEST)
    blob = bytes(fdt.as_bytearray())
    found = {}
    for offset, size in seeds(blob):
        token, length, name = struct.unpack_from(">3I", blob, offset)
        assert (token, length) == (3, size)
        found[_string(blob, name)] = blob[offset + 12 : offset + 12 + size]
    assert found == {"kaslr-seed": bytes(8), "rng-seed": bytes(32)}
    without = tree(FIVE.replace("[service.lifecycle]\n", "") + GUEST)
    assert seeds(bytes(without.as_bytearray())) == []
    assert without.getprop(without.path_offset("/chosen"), "rng-seed", [libfdt.NOTFOUND]) == -1


def test_what_a_vm_has_not_is_not_there(tree: Callable[..., libfdt.FdtRo]) -> None:
    """Neither nodes nor properties that point at them."""
    fdt = tree(GUEST + "uart = false\ngic = false\ntimer = false\n")
    for path in ("/psci", "/timer", "/intc@8000000", "/pl011@9000000"):
        assert fdt.path_offset(path, [libfdt.NOTFOUND]) < 0
    quiet = [libfdt.NOTFOUND]
    assert fdt.getprop(fdt.path_offset("/chosen"), "stdout-path", quiet) == -libfdt.NOTFOUND
    assert fdt.getprop(0, "interrupt-parent", quiet) == -libfdt.NOTFOUND


def test_bootargs_and_initrd(tree: Callable[..., libfdt.FdtRo]) -> None:
    """Where Linux looks for them."""
    fdt = tree(FIVE + GUEST + 'bootargs = "console=ttyAMA0 é"\n', (0x4800_0000, 0x4800_1000))
    assert text(fdt, "/chosen", "bootargs") == ["console=ttyAMA0 é"]
    assert cells(fdt, "/chosen", "linux,initrd-start") == [0, 0x4800_0000]
    assert cells(fdt, "/chosen", "linux,initrd-end") == [0, 0x4800_1000]


def test_a_virtio_console_has_a_node(tree: Callable[..., libfdt.FdtRo]) -> None:
    """As the transport's binding wants it; its memory is coherent."""
    services = FIVE + "[service.virtio-console]\n"
    fdt = tree(services + GUEST + "virtio_console = { address = 0x0a100000, intid = 50 }\n")
    assert text(fdt, "/virtio@a100000", "compatible") == ["virtio,mmio"]
    assert cells(fdt, "/virtio@a100000", "reg") == [0, 0x0A10_0000, 0, 0x1000]
    assert cells(fdt, "/virtio@a100000", "interrupts") == [0, 18, 4]
    assert cells(fdt, "/virtio@a100000", "dma-coherent") == []
    assert tree(services + GUEST).path_offset("/virtio@a000000", [libfdt.NOTFOUND]) < 0


def test_devices_with_a_compatible_have_nodes(tree: Callable[..., libfdt.FdtRo]) -> None:
    """Emulated ones and physical ones."""
    emulated = '{ service = "block", address = 0x0a000000, intid = 48, compatible = "virtio,mmio" }'
    silent = '{ service = "block", address = 0x0a001000 }'
    fdt = tree(
        FIVE + "[service.block]\n" + GUEST + f"emulated = [{emulated}, {silent}]\n"
        'devices = ["rtc"]\n'
    )
    assert text(fdt, "/block@a000000", "compatible") == ["virtio,mmio"]
    assert cells(fdt, "/block@a000000", "interrupts") == [0, 16, 4]
    assert text(fdt, "/rtc@9010000", "compatible") == ["arm,pl031", "arm,primecell"]
    assert fdt.path_offset("/block@a001000", [libfdt.NOTFOUND]) < 0
