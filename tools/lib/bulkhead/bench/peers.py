# SPDX-License-Identifier: MIT
"""The benchmark guest under other hypervisors, in the same emulated machine, as Debian 12 ships them (docs/benchmark.md)."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from bulkhead import bench_linux, qemu
from bulkhead.bench import kvm, xen
from bulkhead.bench.peer import Guest, Peer
from bulkhead.errors import UserError
from bulkhead.machine import Machine
from bulkhead.monitor import Monitor, arguments
from bulkhead.pack.debian import debian_file
from bulkhead.paths import build_folder
from bulkhead.streams import CORE, Transcript


class _Kind(Protocol):
    """A module that knows how a peer is booted."""

    def fetch(self, cache: Path) -> object:
        """Brings the packages into the cache, or says which one cannot be had."""

    def prepare(self, guest: Guest, cache: Path, scratch: Path, cpu: str | None) -> Peer:
        """Makes the peer's files in `scratch`."""


PEERS: dict[str, _Kind] = {"kvm": kvm, "xen": xen}
DONE = r"^\[.*\] \w+: done$"
_PATIENCE_S = 600.0  # of the host; only a safety net
_FAULT = r"^\[.*\] \w+: fault: powering off$"  # an exception that the guest did not expect
_TICK_S = 0.05
_TAIL = 12
_SLEEPS = 256 + 8  # partitions/bench/bench.h: rounds and warm_up
_LINUX_OFF = "reboot: Power down"


class PeerError(UserError):
    """The peer did not come to the guest's end: exit status 1."""

    status = 1


def fetch(name: str) -> None:
    """Brings what the peer needs into the build folder; what cannot be had is an error that names it."""
    PEERS[name].fetch(_cache())


def run(
    name: str, guest: Guest, scratch: Path, cpu: str | None = None, until: str = DONE
) -> list[str]:
    """Boots the peer with `guest` as its only VM, on QEMU's model `cpu`; the VM's lines, up to and with one in which `until` is found."""
    with _boot(name, guest, scratch, cpu) as running:
        return running.until(until)


def sleep(name: str, scratch: Path, cpu: str | None = None) -> float:
    """Instructions that the whole machine executes for a sleep of 1 ms: what happens before the deadline costs the guest no time.

    The guest sleeps once more as often, and all that the machine executes to its end is compared.
    """
    image = build_folder() / "partitions" / "bench" / "bench.img"
    once, twice = (
        _executed(name, Guest(image, bootargs), scratch, cpu)
        for bootargs in ("sleep", "sleep twice")
    )
    return (twice - once) / _SLEEPS


def workloads(
    name: str, words: Sequence[str], scratch: Path, cpu: str | None = None
) -> dict[str, tuple[int, int]]:
    """Linux's workloads (`bench_linux`) in the peer's only VM: rounds and instructions of each."""
    initrd = scratch / "linux.cpio"
    initrd.write_bytes(bench_linux.archive())
    kernel = debian_file(bench_linux.KERNEL, _cache())
    bootargs = bench_linux.bootargs(words)
    guest = Guest(kernel, bootargs, ram_mib=bench_linux.RAM_MIB, initrd=initrd)
    found = bench_linux.counted("\n".join(run(name, guest, scratch, cpu, _LINUX_OFF)))
    missing = [word for word in words if word not in found]
    if missing:
        raise PeerError(f"peer {name}: Linux did not count {', '.join(missing)}", code="bench-peer")
    return found


def _cache() -> Path:
    return build_folder() / "debian"


def _executed(name: str, guest: Guest, scratch: Path, cpu: str | None) -> int:
    """Instructions from the machine's reset until it is off, or sleeps for ever."""
    control = scratch / "qmp"
    with _boot(name, guest, scratch, cpu, ["-no-shutdown", *arguments(control)]) as running:
        running.until(DONE)
        monitor = Monitor(running, control)
        try:
            while not running.sleeps_for_ever():
                if monitor.execute("query-status")["status"] == "shutdown":
                    break
                running.pump(_TICK_S)
            return monitor.instructions()
        finally:
            monitor.close()
            control.unlink()


@contextlib.contextmanager
def _boot(
    name: str, guest: Guest, scratch: Path, cpu: str | None, extra: Sequence[str] = ()
) -> Iterator[Running]:
    peer = PEERS[name].prepare(guest, _cache(), scratch, cpu)
    options = qemu.Options(cpu=cpu, icount=True, extra=(*peer.arguments, *extra))
    with Machine(qemu.command(peer.machine, options)) as machine:
        yield Running(name, peer.prefix, machine)


class Running:
    """A machine with a peer."""

    def __init__(self, name: str, prefix: str, machine: Machine) -> None:
        self._name = name
        self._prefix = prefix
        self._machine = machine
        self._transcript = Transcript()
        self._deadline = time.monotonic() + _PATIENCE_S

    def pump(self, timeout: float) -> None:
        """Takes what the machine prints within `timeout` seconds."""
        if self._machine.closed or time.monotonic() > self._deadline:
            raise self._broken()
        self._transcript.feed(self._machine.read(timeout))

    def until(self, pattern: str) -> list[str]:
        """The VM's lines, up to and with one in which the pattern is found."""
        while True:
            lines = self._guest_lines()
            for number, line in enumerate(lines, start=1):
                if re.search(pattern, line):
                    return lines[:number]
                if re.search(_FAULT, line):
                    raise self._broken()
            self.pump(_TICK_S)

    def sleeps_for_ever(self) -> bool:
        """True if the machine waits for an interrupt that nothing will bring: QEMU says so."""
        return "no active timers" in self._machine.complaints()

    def _guest_lines(self) -> list[str]:
        """What the VM printed, of all that came out of the machine."""
        lines = self._transcript.stream(CORE).lines
        return [line.removeprefix(self._prefix) for line in lines if line.startswith(self._prefix)]

    def _broken(self) -> PeerError:
        tail = [line for line in self._transcript.stream(CORE).lines if line.strip()][-_TAIL:]
        why = self._machine.complaints() or "no reason given"
        message = f"peer {self._name} did not come to the end of its guest: {why}"
        return PeerError("\n".join([message, *(f"  | {line}" for line in tail)]), code="bench-peer")
