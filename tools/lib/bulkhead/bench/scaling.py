# SPDX-License-Identifier: MIT
"""What grows with the number of partitions in the image, and what must not: systems of 2, 16 and 64 partitions."""

from __future__ import annotations

import re
import time
from pathlib import Path

from bulkhead.bench.measure import INSTRUCTIONS_PER_TICK, Bench, figures_of_events
from bulkhead.bench.sizes import el2_bytes

COUNTS = (2, 16, 64)
EQUAL_WITHIN = 0.02
MEASURED_BY_ALL = ("UART exit", "IPC")

_SYSTEM = '[system]\nboard = "qemu-virt"\n'
# What a UART exit needs: a VM, `uart`, and the console that its bytes go to.
_UART = """[service.console]
[service.uart]
[vm.bench]
image = "@bench-scaling"
ram_mib = 4
gic = false
timer = false
"""
# Two that call. They have no console; who measures has the PL011 for itself.
_IPC = """[service.server]
program = "@bench-native"
properties = { role = "server" }
[partition.client]
program = "@bench-native"
calls = ["server"]
devices = ["pl011"]
pmu = "machine"
properties = { role = "client" }
"""
_NATIVE = """[partition.filler{}]
program = "@bench-native"
priority = 1
properties = {{ role = "filler" }}
"""
# A VM that is only there. A console has no room for more native partitions than _MOST_NATIVES, which all have a stream.
_VM = """[vm.filler{}]
image = "loop.bin"
raw = true
ram_mib = 2
load_address = 0x4000_1000
priority = 0
uart = false
gic = false
timer = false
"""
_LOOP = b"\x00\x00\x00\x14"  # b .
_MOST_NATIVES = 57


def description(base: str, count: int, most_natives: int = max(COUNTS)) -> str:
    """The TOML of a system of `count` partitions: those of `base`, and others that only are there."""
    there = len(re.findall(r"^\[(?:service|partition|vm)\.", base, re.MULTILINE))
    fillers = max(count - there, 0)
    kinds = [_NATIVE if i < most_natives else _VM for i in range(fillers)]
    return _SYSTEM + base + "".join(kind.format(i) for i, kind in enumerate(kinds))


def row(bench: Bench, scratch: Path, count: int) -> dict[str, float]:
    """What a system of so many partitions costs. Seconds are the host's, and only shown."""
    folder = scratch / f"partitions-{count}"
    folder.mkdir()
    (folder / "loop.bin").write_bytes(_LOOP)
    (folder / "uart.toml").write_text(description(_UART, count, _MOST_NATIVES))
    (folder / "ipc.toml").write_text(description(_IPC, count))
    started = time.monotonic()
    ipc = bench.pack(folder / "ipc.toml")
    seconds = time.monotonic() - started
    events = bench.events(ipc, "done")
    hello = next(event for event in events if event.name == "hello")
    return {
        "partitions": count,
        "UART exit": bench.figures(bench.pack(folder / "uart.toml"))["uart.read"].mean,
        "IPC": figures_of_events(events)["ipc"].mean,
        "boot, instructions": hello.number("entered_at") * INSTRUCTIONS_PER_TICK,
        "EL2 memory, bytes": el2_bytes(ipc.image),
        "pack, seconds of the host": round(seconds, 2),
    }


def scaling(bench: Bench, scratch: Path) -> list[dict[str, float]]:
    """One row for each count."""
    return [row(bench, scratch, count) for count in COUNTS]


def uneven(rows: list[dict[str, float]]) -> list[str]:
    """What must not depend on the number of partitions, and does."""
    found = []
    for name in MEASURED_BY_ALL:
        values = [row[name] for row in rows]
        if max(values) > min(values) * (1 + EQUAL_WITHIN):
            found.append(name)
    return found
