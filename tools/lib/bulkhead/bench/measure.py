# SPDX-License-Identifier: MIT
"""Boots a benchmark system and reads the figures that its guests print, whatever carried the lines here."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from bulkhead import packing, qemu
from bulkhead.bench.figures import Figure
from bulkhead.bench.operations import BY_NAME, DEMO, NATIVE, SGI, SWITCH, VM
from bulkhead.errors import UserError
from bulkhead.events import Event, parse_event
from bulkhead.machine import Machine
from bulkhead.paths import build_folder
from bulkhead.qemu import Bare, Packed
from bulkhead.streams import Transcript

INSTRUCTIONS_PER_TICK = 16  # an instruction is a nanosecond, CNTVCT counts at 62.5 MHz
_PATIENCE_S = 120.0  # of the host; only a safety net
_TICK_S = 0.05
_TAIL = 8
# Which system measures a group of operations, and what it says at its end.
_SYSTEMS = {"exits": VM, "timer": VM, "sleep": VM, "native": NATIVE, "sgi": SGI, "switch": SWITCH}


class BenchError(UserError):
    """The benchmark did not come to its end: exit status 1."""

    status = 1


def figures_of(lines: Iterable[str]) -> dict[str, Figure]:
    """The figures in a guest's output; other lines are passed over."""
    return figures_of_events(event for line in lines if (event := parse_event(line.strip())))


def figures_of_events(events: Iterable[Event]) -> dict[str, Figure]:
    """The figures in the lines `op name=… rounds=…` (docs/benchmark.md)."""
    found = {}
    for event in events:
        if event.name == "error":
            raise BenchError(f"the benchmark says: {event.line}", code="bench-guest")
        if event.name == "op":
            name, figure = _figure(event)
            found[name] = figure
    return found


def _figure(event: Event) -> tuple[str, Figure]:
    try:
        name, rounds = event.keys["name"], event.number("rounds")
        if "sum" not in event.keys:
            ticks = event.number("ticks")
            return name, Figure(round(ticks * INSTRUCTIONS_PER_TICK / rounds, 1))
        mean, el2 = (round(event.number(key) / rounds, 1) for key in ("sum", "el2"))
        return name, Figure(mean, event.number("least"), event.number("most"), el2)
    except (KeyError, ValueError, ZeroDivisionError):
        raise BenchError(f"no figure can be read in: {event.line}", code="bench-line") from None


class Bench:
    """Packs and boots; each system once. `cpu`: QEMU's model, None for the board's own."""

    def __init__(self, scratch: Path, cpu: str | None = None) -> None:
        self._scratch = scratch
        self._cpu = cpu
        self._found: dict[tuple[Path, ...], dict[str, Figure]] = {}

    def operation(self, name: str) -> Figure:
        """Measures one operation (and, with it, the others of its system)."""
        operation = BY_NAME[name]
        if name == "boot":
            return self.boot(DEMO)
        figures = self._system(_SYSTEMS[operation.group])
        if name not in figures:
            message = f"the guest of {_SYSTEMS[operation.group]} did not measure {name}"
            raise BenchError(message, code="bench-missing")
        figure = figures[name]
        return figure.minus(self.native()[name]) if operation.above_native else figure

    def _system(self, system: Path) -> dict[str, Figure]:
        if (system,) not in self._found:
            self._found[(system,)] = self.figures(self.pack(system))
        return self._found[(system,)]

    def native(self) -> dict[str, Figure]:
        """The same guest on the bare machine."""
        image = build_folder() / "partitions" / "bench" / "bench.img"
        if (image,) not in self._found:
            self._found[(image,)] = self.figures(Bare(image))
        return self._found[(image,)]

    def pack(self, system: Path, cores: int | None = None) -> Packed:
        """The packed system."""
        image = self._scratch / f"{system.parent.name}-{system.stem}.img"
        return packing.pack(system, image, cores)

    def figures(self, packed: Packed) -> dict[str, Figure]:
        """All that the guests of a system count until one says that it is done."""
        return figures_of_events(self.events(packed, "done"))

    def boot(self, system: Path) -> Figure:
        """From reset to the first instruction of the first guest, on one core: the guest took the time."""
        packed = self.pack(system, 1)
        hello = next(e for e in self.events(packed, "hello") if e.name == "hello")
        return Figure(hello.number("entered_at") * INSTRUCTIONS_PER_TICK)

    def events(
        self, packed: Packed, until: str, extra: Sequence[str] = (), patience_s: float = _PATIENCE_S
    ) -> list[Event]:
        """Boots it, and gives the log's lines until one of the name `until`."""
        options = qemu.Options(cpu=self._cpu, icount=True, extra=tuple(extra))
        transcript = Transcript()
        deadline = time.monotonic() + patience_s
        with Machine(qemu.command(packed, options)) as machine:
            while not any(event.name == until for event in _events(transcript)):
                if machine.closed or transcript.panic_ended or time.monotonic() > deadline:
                    raise _broken(packed, until, machine, transcript)
                transcript.feed(machine.read(_TICK_S))
        return _events(transcript)


def _events(transcript: Transcript) -> list[Event]:
    """In order by stream. A bare guest has the whole line to itself: the stream `core`."""
    found = []
    for stream in transcript.streams.values():
        for line in stream.lines:
            event = parse_event(line.strip(), stream.name)
            if event is not None:
                found.append(event)
    return found


def _broken(packed: Packed, until: str, machine: Machine, transcript: Transcript) -> BenchError:
    why = transcript.panic[0] if transcript.panic else transcript.complaint or machine.complaints()
    tails = [
        f"  {name} | {line}"
        for name, stream in sorted(transcript.streams.items())
        for line in [line for line in stream.lines if line.strip()][-_TAIL:]
    ]
    message = f"{packed.image.name} ended without the line '{until}': {why or 'no reason given'}"
    return BenchError("\n".join([message, *tails]), code="bench-end")
