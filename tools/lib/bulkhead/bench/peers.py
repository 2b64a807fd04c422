# SPDX-License-Identifier: MIT
"""The benchmark guest under other hypervisors, in the same emulated machine, as Debian 12 ships them (docs/benchmark.md)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bulkhead import bench_linux, qemu
from bulkhead.bench import kvm, xen
from bulkhead.bench.peer import Guest, Peer
from bulkhead.errors import UserError
from bulkhead.machine import Machine
from bulkhead.pack.debian import debian_file
from bulkhead.paths import build_folder
from bulkhead.streams import CORE, Transcript

PEERS: dict[str, Callable[[Guest, Path, Path, str | None], Peer]] = {
    "kvm": kvm.prepare,
    "xen": xen.prepare,
}
DONE = r"^\[.*\] \w+: done$"
_PATIENCE_S = 600.0  # of the host; only a safety net
_TICK_S = 0.05
_TAIL = 12
_LINUX_OFF = "reboot: Power down"


class PeerError(UserError):
    """The peer did not come to the guest's end: exit status 1."""

    status = 1


def run(
    name: str, guest: Guest, scratch: Path, cpu: str | None = None, until: str = DONE
) -> list[str]:
    """Boots the peer with `guest` as its only VM, on QEMU's model `cpu`; the VM's lines, up to and with one in which `until` is found."""
    peer = PEERS[name](guest, build_folder() / "debian", scratch, cpu)
    options = qemu.Options(cpu=cpu, icount=True, extra=tuple(peer.arguments))
    transcript = Transcript()
    deadline = time.monotonic() + _PATIENCE_S
    with Machine(qemu.command(peer.machine, options)) as machine:
        while True:
            lines = _guest_lines(peer, transcript.stream(CORE).lines)
            for number, line in enumerate(lines, start=1):
                if re.search(until, line):
                    return lines[:number]
            if machine.closed or time.monotonic() > deadline:
                raise _broken(name, until, machine, transcript)
            transcript.feed(machine.read(_TICK_S))


def workloads(
    name: str, words: Sequence[str], scratch: Path, cpu: str | None = None
) -> dict[str, tuple[int, int]]:
    """Linux's workloads (`bench_linux`) in the peer's only VM: rounds and instructions of each."""
    initrd = scratch / "linux.cpio"
    initrd.write_bytes(bench_linux.archive())
    kernel = debian_file(bench_linux.KERNEL, build_folder() / "debian")
    bootargs = bench_linux.bootargs(words)
    guest = Guest(kernel, bootargs, ram_mib=bench_linux.RAM_MIB, initrd=initrd)
    found = bench_linux.counted("\n".join(run(name, guest, scratch, cpu, _LINUX_OFF)))
    missing = [word for word in words if word not in found]
    if missing:
        raise PeerError(f"peer {name}: Linux did not count {', '.join(missing)}", code="bench-peer")
    return found


def _guest_lines(peer: Peer, lines: Sequence[str]) -> list[str]:
    """What the VM printed, of all that came out of the machine."""
    return [line.removeprefix(peer.prefix) for line in lines if line.startswith(peer.prefix)]


def _broken(name: str, until: str, machine: Machine, transcript: Transcript) -> PeerError:
    why = machine.complaints() or "no reason given"
    tail = [line for line in transcript.stream(CORE).lines if line.strip()][-_TAIL:]
    message = f"peer {name}: the benchmark's guest ended without a line '{until}': {why}"
    return PeerError("\n".join([message, *(f"  | {line}" for line in tail)]), code="bench-peer")
