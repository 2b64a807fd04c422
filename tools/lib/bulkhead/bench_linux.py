# SPDX-License-Identifier: MIT
"""Linux's workloads in a VM and on the same machine without Bulkhead, in instructions.

    measure(what: Sequence[str] | None, cpu: str | None) -> list[Workload(name, rounds, native, vm, bar)]

`what` names workloads of `BARS`; None: all. `native` and `vm` are the instructions of all rounds
(ticks of the guest's counter, 16 instructions each), `ratio` is `vm / native`, `bar` what it should stay below.
`boot` counts what was executed from the machine's (the VM's) start to the shell and the power-off. `console` is the
VM's VirtIO console against the machine's PL011, `pl011` the VM's emulated PL011 against that.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bulkhead import monitor, packing
from bulkhead.build import build
from bulkhead.errors import UserError
from bulkhead.harness import Harness
from bulkhead.monitor import Monitor
from bulkhead.pack.debian import debian_file
from bulkhead.pack.initramfs import initramfs
from bulkhead.paths import SYSTEMS, build_folder
from bulkhead.qemu import Bare

KERNEL = "debian:linux-image-cloud-arm64/boot/vmlinuz-*"
BOOT, CONSOLE, PL011 = "boot", "console", "pl011"
BARS: dict[str, float | None] = {
    BOOT: 1.02,
    "syscalls": 1.001,
    "sleeps": 1.1,
    "forks": 1.01,
    "faults": 1.01,
    "pipes": 1.01,
    CONSOLE: 1.8,
    PL011: None,
}

_LIST = SYSTEMS / "bench-linux" / "initramfs.list"
_BOOTARGS = "console=ttyAMA0 cryptomgr.notests"
_HVC0, _TWICE = "hvc0", "twice"
_SAME_ADDRESSES = "nokaslr norandmaps"  # for the workloads: other addresses cost other page tables
RAM_MIB = 256
_INSTRUCTIONS_PER_TICK = 16  # 62.5 MHz, and an instruction is a nanosecond
_TIMEOUT_S = 300
_LINE = re.compile(
    r"^work: (?P<name>\w+) rounds=(?P<rounds>\d+) ticks=(?P<ticks>\d+)", re.MULTILINE
)
_DESCRIPTION = """[system]
board = "qemu-virt"
cores = 1
[service.console]
[service.uart]
[service.virtio-console]
[service.timer]
[service.gic]
[service.lifecycle]
[vm.linux]
image = "{kernel}"
initrd = "{initrd}"
bootargs = "{bootargs}"
ram_mib = {ram_mib}
virtio_console = {virtio_console}
"""


@dataclass(frozen=True, slots=True)
class Workload:
    """One workload's instructions, for all its rounds."""

    name: str
    rounds: int
    native: int
    vm: int
    bar: float | None

    @property
    def ratio(self) -> float:
        """What it costs in a VM, of what it costs natively."""
        return self.vm / self.native


@dataclass(frozen=True, slots=True)
class Boot:
    """The way from the start to a shell and the power-off, in executed instructions."""

    native: int
    vm: int
    machine: int  # before the VM's start: the core, the services and loading the VM
    load: int  # of that, loading the VM


class _Machine:
    """The one machine that both run on: one CPU, deterministic."""

    def __init__(self, folder: Path, cpu: str | None) -> None:
        self._folder, self._cpu = folder, cpu
        self._qmp = folder / "qmp"
        self.harness = Harness(lambda system, cores: packing.pack(Path(system), folder / "vm.img"))

    def native(self, words: Sequence[str]) -> None:
        """Boots Linux at EL1 on the plain board."""
        initrd = self._folder / "initrd"
        initrd.write_bytes(archive())
        board = ("-M", "virt,gic-version=3")
        bare = Bare(debian_file(KERNEL, build_folder() / "debian"), board, 1, RAM_MIB)
        self._boot(bare, ["-initrd", str(initrd), "-append", bootargs(words)])

    def vm(self, words: Sequence[str]) -> None:
        """Boots the same Linux in a VM."""
        description = self._folder / "system.toml"
        description.write_text(
            _DESCRIPTION.format(
                kernel=KERNEL,
                initrd=_LIST,
                bootargs=bootargs(words),
                ram_mib=RAM_MIB,
                virtio_console=str(_HVC0 in words).lower(),
            )
        )
        self._boot(description, [])

    def _boot(self, system: Path | Bare, arguments: Sequence[str]) -> None:
        more = [*arguments, "-no-shutdown", *monitor.arguments(self._qmp)]
        self.harness.boot(system, cpu=self._cpu, icount=True, qemu_args=more, timeout=_TIMEOUT_S)

    def end(self) -> int:
        """Waits for the power-off; gives the instructions until then."""
        self.harness.expect("shell: up")
        connection = Monitor(self.harness, self._qmp)
        connection.wait_for_shutdown(_TIMEOUT_S)
        count = connection.instructions()
        connection.close()
        self.harness.stop()
        return count

    def said(self) -> dict[str, tuple[int, int]]:
        """Rounds and instructions by the workload's name."""
        return counted("".join(stream.text for stream in self.harness.streams.values()))


def measure(what: Sequence[str] | None = None, cpu: str | None = None) -> list[Workload]:
    """Runs the workloads named in `what` (None: all of `BARS`) natively and in a VM; takes about a minute.

    `cpu`: QEMU's model, None for the board's own.
    """
    names = list(BARS if what is None else what)
    for name in names:
        if name not in BARS:
            raise UserError(f"there is no workload '{name}'", hint=f"one of {', '.join(BARS)}")
    found = _measure_work([name for name in names if name != BOOT], cpu)
    if BOOT in names:
        boot = measure_boot(cpu)
        found[BOOT] = Workload(BOOT, 1, boot.native, boot.vm, BARS[BOOT])
    return [found[name] for name in names]


def measure_boot(cpu: str | None = None) -> Boot:
    """Counts a boot to the shell natively and in a VM."""
    with tempfile.TemporaryDirectory(prefix="bulkhead-") as folder:
        build()
        machine = _Machine(Path(folder), cpu)
        machine.native([])
        native = machine.end()
        machine.vm([])
        whole = machine.end()
        started = machine.harness.events("vm.start", vm="linux")[0]
        # Until then the only CPU was never idle: an instruction is a nanosecond.
        before = started.time_us * 1000
        return Boot(native, whole - before, before, started.number("load_us") * 1000)


def _measure_work(names: Sequence[str], cpu: str | None) -> dict[str, Workload]:
    if not names:
        return {}
    found = {}
    with tempfile.TemporaryDirectory(prefix="bulkhead-") as folder:
        build()
        machine = _Machine(Path(folder), cpu)
        machine.native(sorted({word(name) for name in names}))
        machine.end()
        native = machine.said()
        said: dict[str, tuple[int, int]] = {}
        if words := sorted({word(name) for name in names if name != CONSOLE}):
            machine.vm(words)
            machine.end()
            said = machine.said()
        for name in names:
            rounds, count = native[word(name)]
            vm = _console(machine, rounds) if name == CONSOLE else said[word(name)][1]
            found[name] = Workload(name, rounds, count, vm, BARS[name])
    return found


def _console(machine: _Machine, size: int) -> int:
    """What `size` bytes to the VirtIO console cost, to the last one's way out of the machine's UART.

    For the driver a byte is sent when the service has put it into a ring, and the console works later. So a program
    writes twice as many, and all that the machine executes to its end is compared.
    """
    counts = []
    for words, lines in ((), 1), ((_TWICE,), 2):
        machine.vm([CONSOLE, _HVC0, *words])
        counts.append(machine.end())
        there = len(machine.harness.streams["linux.hvc0"].raw.replace(b"\r", b""))
        if there != size * lines:
            raise UserError(f"of {size * lines} bytes to the VirtIO console {there} have come out")
    return counts[1] - counts[0]


def word(name: str) -> str:
    """What the program calls a workload."""
    return CONSOLE if name == PL011 else name


def archive() -> bytes:
    """The initramfs with the workloads."""
    return initramfs(_LIST, _LIST.read_text(), _content)


def counted(text: str) -> dict[str, tuple[int, int]]:
    """Rounds and instructions by the workload's name, from what Linux printed."""
    return {
        line["name"]: (int(line["rounds"]), int(line["ticks"]) * _INSTRUCTIONS_PER_TICK)
        for line in _LINE.finditer(text.replace("\r", ""))
    }


def bootargs(words: Iterable[str]) -> str:
    """The boot arguments for the workloads named in `words`."""
    return " ".join([_BOOTARGS, *([_SAME_ADDRESSES, "--", *words] if words else [])])


def _content(location: str, line: int) -> bytes:
    """A file of the list."""
    build_ = build_folder()
    if location.startswith("debian:"):
        return debian_file(location, build_ / "debian").read_bytes()
    if location.startswith("@"):
        return (build_ / "test" / "guests" / "linux" / location[1:]).read_bytes()
    return (_LIST.parent / location).read_bytes()
