# SPDX-License-Identifier: MIT
"""The row `stretch`: the longest stretch at EL2 without a look at ISR_EL1, of systems that use everything the core can do."""

from __future__ import annotations

from pathlib import Path

from elftools.elf.elffile import ELFFile

from bulkhead.bench.figures import Figure
from bulkhead.bench.measure import Bench
from bulkhead.bench.operations import DEMO
from bulkhead.errors import UserError
from bulkhead.paths import CHECKOUT, core_elf
from bulkhead.stretches import Watch, longest
from bulkhead.symbols import Symbols

# Systems to look at, and the event at which there was enough of each: the demo until its second guest has done its work, and those in which
# a partition makes every hypercall, with good and bad arguments.
_SYSTEMS = (
    (DEMO, "ready"),
    *(
        (CHECKOUT / "test" / "systems" / name / "system.toml", "checks")
        for name in ("objects", "hypercalls", "ipc")
    ),
)
_PATIENCE_S = 600.0


def stretch(bench: Bench, scratch: Path) -> Figure:
    """The longest of all systems; the note says where."""
    folder = scratch / "stretches"
    folder.mkdir()
    packed = [(bench.pack(system), system.parent.name, until) for system, until in _SYSTEMS]
    watch = Watch(folder, core_elf())
    for image, name, until in packed:
        bench.events(image, until, watch.arguments(name), _PATIENCE_S)
    found = longest(folder)
    if not found:
        raise UserError("QEMU's plugin has seen no return from EL2", code="bench-trace")
    with core_elf().open("rb") as file:
        note = found[0].describe(Symbols(ELFFile(file)))
    count = found[0].count
    return Figure(count, None, count, count, note)
