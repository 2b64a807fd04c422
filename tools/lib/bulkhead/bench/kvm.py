# SPDX-License-Identifier: MIT
"""KVM as a peer: Debian's kernel at EL2, and an initramfs with Debian's QEMU, which runs the guest."""

from __future__ import annotations

import shlex
from pathlib import Path

from bulkhead import qemu
from bulkhead.bench.peer import MACHINE, MEMORY_MIB, Guest, Peer
from bulkhead.pack.debian import debian_file
from bulkhead.pack.debian_program import VERSIONS, debian_program
from bulkhead.pack.initramfs import initramfs

_KERNEL = "debian:linux-image-cloud-arm64/boot/vmlinuz-*"
_BUSYBOX = "debian:busybox-static/bin/busybox"
_PACKAGE, _PROGRAM = "qemu-system-arm", "usr/bin/qemu-system-aarch64"
_BOOTARGS = "console=ttyAMA0 quiet panic=-1"
_LIMIT_S = 60  # virtual; only a safety net
# The guest's output waits in a file: else the kernel's console would work while the guest is measured.
# No PMU for the guest: KVM's counts the guest's own instructions only.
_INIT = """#!/bin/busybox sh
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox timeout {limit} /{program} -M virt,gic-version=3 -accel kvm -cpu host,pmu=off \\
    -smp {cpus} -m {memory}M -display none -monitor none -nic none -serial file:/output \\
    -kernel /guest.img {initrd} -append {bootargs} || echo "peer: QEMU's status is $?"
/bin/busybox cat /output
/bin/busybox poweroff -f
"""


def fetch(cache: Path) -> tuple[Path, Path, Path]:
    """The kernel, busybox, and a folder with QEMU and its libraries."""
    kernel, busybox = debian_file(_KERNEL, cache), debian_file(_BUSYBOX, cache)
    return kernel, busybox, debian_program(_PACKAGE, _PROGRAM, cache)


def prepare(guest: Guest, cache: Path, scratch: Path, cpu: str | None) -> Peer:
    """Linux as the host, QEMU as its first program."""
    kernel, busybox, program = fetch(cache)
    files = {"bin/busybox": busybox, "guest.img": guest.image, "init": scratch / "init"}
    if guest.initrd:
        files["guest.cpio"] = guest.initrd
    files |= {
        path.relative_to(program).as_posix(): path
        for path in program.rglob("*")
        if path.is_file() and path.name != VERSIONS
    }
    files["init"].write_text(
        _INIT.format(
            limit=_LIMIT_S,
            program=_PROGRAM,
            cpus=guest.cpus,
            memory=guest.ram_mib,
            initrd="-initrd /guest.cpio" if guest.initrd else "",
            bootargs=shlex.quote(guest.bootargs),
        )
    )
    initrd = scratch / "kvm.cpio"
    initrd.write_bytes(_archive(files))
    arguments = ["-initrd", str(initrd), "-append", _BOOTARGS]
    machine = qemu.Bare(kernel, MACHINE, guest.cpus, MEMORY_MIB)
    return Peer(machine, arguments, "")


def _archive(files: dict[str, Path]) -> bytes:
    """An initramfs of the files, with the folders above them."""
    parents = {parent for name in files for parent in Path(name).parents if parent.name}
    folders = sorted({str(folder) for folder in parents} | {"dev"})
    lines = [f"dir /{folder} 755 0 0" for folder in folders]
    lines += ["nod /dev/console 600 0 0 c 5 1"]
    lines += [f"file /{name} {name} 755 0 0" for name in sorted(files)]
    return initramfs(Path("kvm.cpio"), "\n".join(lines), lambda name, _: files[name].read_bytes())
