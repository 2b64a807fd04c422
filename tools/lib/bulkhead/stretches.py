# SPDX-License-Identifier: MIT
"""The longest stretches at EL2 between two looks at ISR_EL1: QEMU counts them by a plugin (tools/qemu/stretch.cpp)."""

from __future__ import annotations

import re
import struct
import tempfile
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from elftools.elf.elffile import ELFFile

from bulkhead.paths import build_folder
from bulkhead.symbols import Symbols

_WORDS = 8192  # of a record: count, start, end, length of the known way, waited, the way
_HEAD = 5
_NAMED = 4
_SUFFIX = ".stretches"
_CORE = "core.text"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Instructions from `start` (the entry to EL2, or a look) to `end` (a look, or the ERET), and the way's first thousands.

    What a CPU executes while it waits for another one's lock is not among them: `waited`, the most for this start and end.
    """

    count: int
    start: int
    end: int
    way: tuple[int, ...]
    waited: int
    where: str  # the machine that took it

    def describe(self, symbols: Symbols) -> str:
        """From where to where, in which machine, and the functions in which most of its instructions are."""
        counted: Counter[str] = Counter()
        for address in self.way:
            place = symbols.place(address)
            counted[place.function if place else "?"] += 1
        most = ", ".join(f"{name} ({n})" for name, n in counted.most_common(_NAMED))
        start, end = symbols.place(self.start), symbols.place(self.end)
        return f"from {start} to {end}, in {self.where}; most of it in {most}"


class Watch:
    """Watches machines; `folder` keeps a file for each, and may be shared by processes."""

    def __init__(self, folder: Path, core: Path) -> None:
        self._folder = folder
        self._text = folder / f"{core.name}-{_CORE}"
        if not self._text.exists():
            self._text.write_bytes(text_of(core))

    def arguments(self, name: str) -> list[str]:
        """What QEMU needs in addition, for a machine that the report calls `name`."""
        prefix = re.sub(r"[^\w:.-]", "_", name) + "@"
        with tempfile.NamedTemporaryFile(
            prefix=prefix, suffix=_SUFFIX, dir=self._folder, delete=False
        ) as file:
            plugin = build_folder() / "tools" / "stretch.so"
            return ["-plugin", f"{plugin},core={self._text},out={file.name}"]


def text_of(core: Path) -> bytes:
    """The core as the plugin wants it: the addresses of .text and of the vectors, and .text."""
    with core.open("rb") as file:
        elf = ELFFile(file)
        text = elf.get_section_by_name(".text")
        (vectors,) = elf.get_section_by_name(".symtab").get_symbol_by_name("vectors")
        data: bytes = text.data()
        return struct.pack("<II", text["sh_addr"], vectors["st_value"]) + data


def longest(folder: Path) -> list[Stretch]:
    """The longest of each start and end over all machines that `folder` knows, the longest first."""
    best: dict[tuple[int, int], Stretch] = {}
    for file in sorted(folder.glob(f"*{_SUFFIX}")):
        for stretch in _read(file):
            key = (stretch.start, stretch.end)
            known = best.get(key, stretch)
            waited = max(known.waited, stretch.waited)
            best[key] = replace(max(known, stretch, key=lambda one: one.count), waited=waited)
    return sorted(best.values(), key=lambda stretch: -stretch.count)


def _read(file: Path) -> Iterable[Stretch]:
    words = array("I", file.read_bytes())
    for at in range(0, len(words), _WORDS):
        count, start, end, known, waited = words[at : at + _HEAD]
        way = tuple(words[at + _HEAD : at + _HEAD + known])
        yield Stretch(count, start, end, way, waited, file.name.rpartition("@")[0])
