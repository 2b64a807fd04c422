# SPDX-License-Identifier: MIT
"""The benchmark guest under other hypervisors, in the same emulated machine, as Debian 12 ships them (docs/benchmark.md)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bulkhead import qemu
from bulkhead.bench import kvm, xen
from bulkhead.bench.peer import Guest, Peer
from bulkhead.errors import UserError
from bulkhead.events import parse_event
from bulkhead.machine import Machine
from bulkhead.paths import build_folder
from bulkhead.streams import CORE, Transcript

PEERS: dict[str, Callable[[Guest, Path, Path, str | None], Peer]] = {
    "kvm": kvm.prepare,
    "xen": xen.prepare,
}
_PATIENCE_S = 60.0  # of the host; only a safety net
_TICK_S = 0.05
_TAIL = 12


class PeerError(UserError):
    """The peer did not come to the guest's end: exit status 1."""

    status = 1


def run(
    name: str, guest: Guest, scratch: Path, cpu: str | None = None, until: str = "done"
) -> list[str]:
    """Boots the peer with `guest` as its only VM, on QEMU's model `cpu`; the VM's lines, up to and with the event `until`."""
    peer = PEERS[name](guest, build_folder() / "debian", scratch, cpu)
    options = qemu.Options(cpu=cpu, icount=True, extra=tuple(peer.arguments))
    transcript = Transcript()
    deadline = time.monotonic() + _PATIENCE_S
    with Machine(qemu.command(peer.machine, options)) as machine:
        while True:
            lines = _guest_lines(peer, transcript.stream(CORE).lines)
            for number, line in enumerate(lines, start=1):
                event = parse_event(line)
                if event is not None and event.name == until:
                    return lines[:number]
            if machine.closed or time.monotonic() > deadline:
                raise _broken(name, until, machine, transcript)
            transcript.feed(machine.read(_TICK_S))


def _guest_lines(peer: Peer, lines: Sequence[str]) -> list[str]:
    """What the VM printed, of all that came out of the machine."""
    return [line.removeprefix(peer.prefix) for line in lines if line.startswith(peer.prefix)]


def _broken(name: str, until: str, machine: Machine, transcript: Transcript) -> PeerError:
    why = machine.complaints() or "no reason given"
    tail = [line for line in transcript.stream(CORE).lines if line.strip()][-_TAIL:]
    message = f"peer {name}: the benchmark's guest ended without the line '{until}': {why}"
    return PeerError("\n".join([message, *(f"  | {line}" for line in tail)]), code="bench-peer")
