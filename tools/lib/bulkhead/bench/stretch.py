# SPDX-License-Identifier: MIT
"""The longest stretch at EL2 between two looks at ISR_EL1, counted from QEMU's own log of what it executes."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from elftools.elf.elffile import ELFFile

from bulkhead.bench.figures import Figure
from bulkhead.bench.measure import Bench
from bulkhead.bench.operations import DEMO
from bulkhead.errors import UserError
from bulkhead.paths import CHECKOUT, core_elf
from bulkhead.symbols import Symbols

# Systems to look at, and the event at which there was enough of each: the demo until its second guest has done its work, and what makes,
# maps, takes away and destroys every kind of object.
SYSTEMS = (
    (DEMO, "ready"),
    (CHECKOUT / "test" / "systems" / "objects" / "system.toml", "checks"),
)
_OBJDUMP = "aarch64-linux-gnu-objdump"
_PATIENCE_S = 600.0
_NAMED = 4
_EL2 = b"6"  # QEMU's MMU index of EL2, in bits 4 to 7 of a translation block's flags
_ADDRESS = re.compile(rb"0x([0-9a-f]+):")
_INSTRUCTION = re.compile(r"^ *([0-9a-f]+):\t[0-9a-f]{8} ?\t(\S+)(?:\t(.*))?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Marks:
    """Addresses in the core: instructions after which a stretch begins anew."""

    looks: frozenset[int]
    returns: frozenset[int]


@dataclass(frozen=True, slots=True)
class Block:
    """A translation block: its instructions' addresses, and where among them stretches end."""

    addresses: tuple[int, ...]
    cuts: tuple[int, ...]  # places of looks and returns
    leaves: bool  # ends by a return


@dataclass(slots=True)
class Cpu:
    """Where one CPU is. `start` is the instruction behind the last look, or the entry to EL2."""

    count: int = 0
    start: int = 0
    inside: bool = False  # at EL2, since `start`
    counts: bool = False  # interrupts have been on once
    blocks: list[Block] = field(default_factory=list)  # since `start`


@dataclass(frozen=True, slots=True)
class Before:
    """A CPU before its last block; of `blocks` the first `length`."""

    count: int
    start: int
    inside: bool
    blocks: list[Block]
    length: int


@dataclass(slots=True)
class Longest:
    """The longest stretch so far, from one address to another."""

    count: int = 0
    start: int = 0
    end: int = 0
    blocks: tuple[Block, ...] = ()


@dataclass(slots=True)
class Parser:
    """Follows `-d exec,nochain,in_asm`: which blocks there are, and which one each CPU executes."""

    marks: Marks
    longest: Longest = field(default_factory=Longest)
    cpus: dict[bytes, Cpu] = field(default_factory=dict)
    blocks: dict[bytes, Block | None] = field(default_factory=dict)
    executed: int = 0  # blocks at EL2
    _new: list[int] = field(default_factory=list)
    _undo: tuple[Cpu, Before] | None = None

    def feed(self, lines: Iterable[bytes]) -> None:
        """Takes the log's lines."""
        for line in lines:
            if line.startswith(b"Trace "):
                self._trace(line)
            elif line.startswith(b"0x"):
                self._new.append(int(line[2 : line.index(b":")], 16))
            elif line.startswith(b"IN:"):
                self._new = []
            elif line.startswith(b"Stopped"):
                self._stopped()

    def _trace(self, line: bytes) -> None:
        # Trace CPU: POINTER [CS_BASE/PC/FLAGS/CFLAGS] SYMBOL
        cpu, pointer, where = line[6:].split(b" ", 2)
        if self._new:
            _, pc, flags, _ = where.split(b"/", 3)
            if self._new[0] == int(pc, 16):
                at_el2 = flags[-2:-1] == _EL2
                self.blocks[pointer] = self._block(self._new) if at_el2 else None
            self._new = []
        block = self.blocks.get(pointer)
        if block is not None:
            self._execute(self.cpus.setdefault(cpu, Cpu()), block)
        else:
            self._undo = None

    def _block(self, addresses: list[int]) -> Block:
        ends = self.marks.looks | self.marks.returns
        cuts = tuple(i for i, address in enumerate(addresses) if address in ends)
        return Block(tuple(addresses), cuts, addresses[-1] in self.marks.returns)

    def _execute(self, cpu: Cpu, block: Block) -> None:
        before = Before(cpu.count, cpu.start, cpu.inside, cpu.blocks, len(cpu.blocks))
        self._undo = (cpu, before)
        self.executed += 1
        if not cpu.inside:
            cpu.inside, cpu.count, cpu.start, cpu.blocks = True, 0, block.addresses[0], []
        cpu.blocks.append(block)
        done = 0
        for cut in block.cuts:
            self._end(cpu, cpu.count + cut + 1 - done, block.addresses[cut])
            cpu.count, done = 0, cut + 1
            cpu.start = block.addresses[cut]
            cpu.blocks = [block]
        cpu.count += len(block.addresses) - done
        if block.leaves:
            cpu.inside = False
            cpu.counts = True

    def _end(self, cpu: Cpu, count: int, end: int) -> None:
        if cpu.counts and count > self.longest.count:
            self.longest = Longest(count, cpu.start, end, tuple(cpu.blocks))

    def _stopped(self) -> None:
        """The block was not executed after all: it will be logged again."""
        if self._undo is not None:
            cpu, before = self._undo
            cpu.count, cpu.start, cpu.inside = before.count, before.start, before.inside
            cpu.blocks = before.blocks[: before.length]
            self.executed -= 1
            self._undo = None


def find_marks(elf: Path) -> Marks:
    """Looks are reads of ISR_EL1, and WFI, which ends for a pending interrupt; a return is an ERET."""
    command = [_OBJDUMP, "-d", "--section=.text", str(elf)]
    try:
        text = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    except FileNotFoundError:
        hint = "run `tools/bulkhead setup`"
        raise UserError(
            f"there is no {_OBJDUMP} on the PATH", code="bench-tool", hint=hint
        ) from None
    looks, returns = set(), set()
    for address, name, operands in _INSTRUCTION.findall(text):
        if name == "wfi" or (name == "mrs" and operands.endswith("isr_el1")):
            looks.add(int(address, 16))
        elif name == "eret":
            returns.add(int(address, 16))
    return Marks(frozenset(looks), frozenset(returns))


def _busiest(longest: Longest, symbols: Symbols) -> list[tuple[str, int]]:
    """The functions in which most of its instructions are."""
    counted: Counter[str] = Counter()
    for block in longest.blocks:
        place = symbols.place(block.addresses[0])
        counted[place.function if place else "?"] += len(block.addresses)
    return counted.most_common(_NAMED)


def _text_range(elf: ELFFile) -> str:
    section = elf.get_section_by_name(".text")
    start = section["sh_addr"]
    return f"{start:#x}..{start + section['sh_size'] - 1:#x}"


def _lines(pipe: BinaryIO) -> Iterator[bytes]:
    yield from pipe


def stretch(bench: Bench, scratch: Path) -> Figure:
    """The longest of all systems; the note says where."""
    marks = find_marks(core_elf())
    with core_elf().open("rb") as file:
        elf = ELFFile(file)
        symbols, text = Symbols(elf), _text_range(elf)
    found = Longest()
    where = ""
    for system, until in SYSTEMS:
        longest = _trace(bench, system, until, marks, text, scratch / "executed")
        if longest.count > found.count:
            found, where = longest, system.parent.name
    note = f"from {symbols.place(found.start)} to {symbols.place(found.end)}, in {where}; "
    note += "most of it in " + ", ".join(f"{name} ({n})" for name, n in _busiest(found, symbols))
    return Figure(found.count, None, found.count, found.count, note)


def _trace(bench: Bench, system: Path, until: str, marks: Marks, text: str, fifo: Path) -> Longest:
    parser = Parser(marks)
    os.mkfifo(fifo)

    def follow() -> None:
        with fifo.open("rb", buffering=1 << 20) as pipe:
            parser.feed(_lines(pipe))

    reader = threading.Thread(target=follow, daemon=True)
    reader.start()
    extra = ["-d", "exec,nochain,in_asm", "-dfilter", text, "-D", str(fifo)]
    try:
        bench.events(bench.pack(system), until, extra, _PATIENCE_S)
        reader.join()
    finally:
        fifo.unlink()
    if not parser.longest.count:
        raise UserError(f"QEMU's log of {system} shows no return from EL2", code="bench-trace")
    return parser.longest
