# SPDX-License-Identifier: MIT
"""What a peer gives to be booted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bulkhead.qemu import Bare

MACHINE = ("-M", "virt,virtualization=on,gic-version=3")
MEMORY_MIB = 1024


@dataclass(frozen=True, slots=True)
class Guest:
    """The peer's only VM: an arm64 Image, with as many vCPUs as the machine has CPUs."""

    image: Path
    bootargs: str = ""
    cpus: int = 1
    ram_mib: int = 64
    initrd: Path | None = None


@dataclass(frozen=True, slots=True)
class Peer:
    """`machine` boots the peer, with `arguments` more for QEMU; lines of the VM begin with `prefix`."""

    machine: Bare
    arguments: Sequence[str]
    prefix: str
