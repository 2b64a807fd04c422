# SPDX-License-Identifier: MIT
"""The command line that runs a packed system in QEMU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

QEMU = "qemu-system-aarch64"
# An instruction is a nanosecond of virtual time, and two runs are the same to the instruction.
ICOUNT = ["-icount", "shift=0,sleep=off", "-seed", "1", "-rtc", "base=2026-01-01,clock=vm"]


class Packed(Protocol):
    """What the packer says about an image (`bulkhead.pack.PackedSystem`)."""

    @property
    def image(self) -> Path:
        ...

    @property
    def board_qemu(self) -> Sequence[str]:
        ...

    @property
    def cpus(self) -> int:
        ...

    @property
    def memory_mib(self) -> int:
        ...

    @property
    def default_cpu(self) -> str:
        ...

    @property
    def partitions(self) -> Sequence[str]:
        ...

    @property
    def notes(self) -> Sequence[str]:
        ...


@dataclass(frozen=True, slots=True)
class Bare:
    """A program that no packer made, on the plain board: a guest by itself, for a comparison."""

    image: Path
    board_qemu: Sequence[str] = ("-M", "virt,gic-version=3")
    cpus: int = 1
    memory_mib: int = 128
    default_cpu: str = "cortex-a72"
    partitions: Sequence[str] = ()  # not known
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Options:
    """What the caller changes; None keeps what the packed system says."""

    cpu: str | None = None
    smp: int | None = None
    icount: bool = False
    extra: tuple[str, ...] = ()
    kernel: bool = True


def command(packed: Packed, options: Options = Options()) -> list[str]:
    """QEMU with the packed system, all but the serial line (`Machine` adds it)."""
    arguments = [QEMU, *packed.board_qemu]
    arguments += ["-cpu", options.cpu or packed.default_cpu]
    arguments += ["-smp", str(options.smp or packed.cpus)]
    arguments += ["-m", f"{packed.memory_mib}M"]
    arguments += ["-nic", "none", "-display", "none", "-monitor", "none"]
    arguments += ICOUNT if options.icount else []
    arguments += ["-kernel", str(packed.image)] if options.kernel else []
    return [*arguments, *options.extra]
