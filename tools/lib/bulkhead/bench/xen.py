# SPDX-License-Identifier: MIT
"""Xen as a peer: dom0less, so that it starts the guest by itself, and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import libfdt

from bulkhead import qemu
from bulkhead.bench.peer import MACHINE, MEMORY_MIB, Guest, Peer
from bulkhead.errors import MachineError
from bulkhead.pack.debian import debian_file

_XEN = "debian:xen-hypervisor-4.17-arm64/boot/xen-4.17-arm64"
_BOOTARGS = "console=dtuart bootscrub=0"
# In the machine's RAM, far from where QEMU puts Xen and the device tree.
_IMAGE, _INITRD = 0x6000_0000, 0x6800_0000
_PREFIX = "(XEN) DOM1: "


def fetch(cache: Path) -> Path:
    """Xen's Image."""
    return debian_file(_XEN, cache)


def prepare(guest: Guest, cache: Path, scratch: Path, cpu: str | None) -> Peer:
    """Xen, with a device tree that tells it of its one domain, and the domain's Image in memory."""
    machine = qemu.Bare(fetch(cache), MACHINE, guest.cpus, MEMORY_MIB)
    tree = scratch / "xen.dtb"
    tree.write_bytes(_device_tree(_machines_own(machine, cpu, scratch), guest))
    arguments = ["-dtb", str(tree)]
    for address, _, file in _modules(guest):
        loader = f"loader,file={_escaped(file)},addr={address:#x},force-raw=on"
        arguments += ["-device", loader]
    return Peer(machine, arguments, _PREFIX)


def _machines_own(machine: qemu.Bare, cpu: str | None, scratch: Path) -> bytes:
    """The device tree that QEMU makes for this machine."""
    tree = scratch / "machine.dtb"
    dump = ("-M", f"{MACHINE[1]},dumpdtb={_escaped(tree)}")
    bare = qemu.Bare(machine.image, dump, machine.cpus, machine.memory_mib)
    command = qemu.command(bare, qemu.Options(cpu=cpu, icount=True, kernel=False))
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode or not tree.is_file():
        raise MachineError(f"QEMU gives no device tree: {done.stderr.decode(errors='replace')}")
    return tree.read_bytes()


def _device_tree(machine: bytes, guest: Guest) -> bytes:
    """Xen's docs/misc/arm/device-tree/booting.txt."""
    tree = libfdt.Fdt(machine)
    tree.resize(tree.totalsize() + 4096)
    chosen = tree.path_offset("/chosen")
    _cells(tree, chosen)
    tree.setprop_str(chosen, "xen,xen-bootargs", _BOOTARGS)
    domain = tree.add_subnode(chosen, "domU1")
    _cells(tree, domain)
    tree.setprop_str(domain, "compatible", "xen,domain")
    tree.setprop_u64(domain, "memory", guest.ram_mib * 1024)
    tree.setprop_u32(domain, "cpus", guest.cpus)
    tree.setprop(domain, "vpl011", b"")
    for address, kind, file in _modules(guest):
        module = tree.add_subnode(domain, f"module@{address:x}")
        tree.setprop(module, "compatible", f"multiboot,{kind}\0multiboot,module\0".encode())
        reg = address.to_bytes(8, "big") + file.stat().st_size.to_bytes(8, "big")
        tree.setprop(module, "reg", reg)
        if kind == "kernel":
            tree.setprop_str(module, "bootargs", guest.bootargs)
    tree.pack()  # Xen refuses one that is larger than 2 MiB, and QEMU doubles its size
    return bytes(tree.as_bytearray())


def _modules(guest: Guest) -> list[tuple[int, str, Path]]:
    """Where in the machine's RAM the domain's files wait for Xen."""
    modules = [(_IMAGE, "kernel", guest.image)]
    return [*modules, (_INITRD, "ramdisk", guest.initrd)] if guest.initrd else modules


def _cells(tree: libfdt.Fdt, node: int) -> None:
    for name in ("#address-cells", "#size-cells"):
        tree.setprop_u32(node, name, 2)


def _escaped(file: Path) -> str:
    """A file's name within one of QEMU's comma-separated options."""
    return str(file).replace(",", ",,")
