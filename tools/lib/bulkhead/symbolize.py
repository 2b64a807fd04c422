# SPDX-License-Identifier: MIT
"""Turns the dump of a panic (registers and stack words) into functions and source lines."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from bulkhead.errors import UserError
from bulkhead.paths import core_elf
from bulkhead.symbols import Symbols
from bulkhead.unwind import LR, SP, Unwinder

_BEGIN = re.compile(r"core: panic\b(?! end)(?P<what>.*)")
_END = re.compile(r"core: panic end\b")
_STACK = re.compile(
    r"core: stack (?P<address>(?:0x)?[0-9a-fA-F]+):?(?P<words>(?: +(?:0x)?[0-9a-fA-F]+)+)\s*$"
)
_REG = re.compile(r"core: reg (?P<pairs>.*)")
_PAIR = re.compile(r"(?P<name>x\d{1,2}|pc|sp|lr|elr|fp)=(?:0x)?(?P<value>[0-9a-fA-F]+)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(slots=True)
class Panic:
    """What one panic dumped. `registers` by DWARF number (x0..x30, sp 31)."""

    what: str
    pc: int = 0
    registers: dict[int, int] = field(default_factory=dict)
    stack: dict[int, int] = field(default_factory=dict)

    def add(self, line: str) -> None:
        """Takes one line of the dump; others are passed over."""
        if found := _STACK.search(line):
            address = int(found["address"], 16)
            for index, word in enumerate(found["words"].split()):
                self.stack[address + 8 * index] = int(word, 16)
        elif found := _REG.search(line):
            for pair in _PAIR.finditer(found["pairs"]):
                self._register(pair["name"], int(pair["value"], 16))

    def _register(self, name: str, value: int) -> None:
        if name in ("pc", "elr"):
            self.pc = value
        else:
            number = {"sp": SP, "lr": LR, "fp": 29}.get(name)
            self.registers[int(name[1:]) if number is None else number] = value


def panics(lines: Iterable[str]) -> list[Panic]:
    """Every panic in a log, also one that was cut short; tags and colours before the text do no harm."""
    found: list[Panic] = []
    inside = False
    for line in lines:
        line = _COLOUR.sub("", line)
        if _END.search(line):
            inside = False
        elif begin := _BEGIN.search(line):
            if not inside:
                found.append(Panic(begin["what"].strip()))
            inside = True
        if inside:
            found[-1].add(line)
    return found


class Symbolizer:
    """Unwinds with one ELF file; reads it once."""

    def __init__(self, elf: Path) -> None:
        try:
            with elf.open("rb") as file:
                parsed = ELFFile(file)
                self._symbols = Symbols(parsed)
                self._unwinder = Unwinder(parsed)
        except OSError as error:
            raise UserError(
                f"cannot read {elf}: {error.strerror}",
                code="elf",
                hint="build first, or give the core's ELF with --elf",
            ) from None
        except ELFError as error:
            raise UserError(f"{elf} is no ELF file: {error}", code="elf") from None

    def frames(self, panic: Panic) -> list[str]:
        """One line per frame, innermost first."""
        lines = []
        for index, pc in enumerate(self._unwinder.walk(panic.registers, panic.pc, panic.stack)):
            place = self._symbols.place(pc - 4 if index else pc)
            lines.append(f"#{index:<2} {pc:#018x} {place if place else '??'}")
        return lines


def describe(lines: Iterable[str], elf: Path) -> list[str]:
    """The text for a user: each panic and its frames. Empty if there was none."""
    text: list[str] = []
    found = panics(lines)
    symbolizer = Symbolizer(elf) if found else None
    for panic in found:
        assert symbolizer is not None
        text.append(f"panic: {panic.what}")
        frames = symbolizer.frames(panic) if panic.pc else ["  (no registers in the dump)"]
        if frames[0].endswith("??"):
            frames.append(f"  ({elf} has no code there: give the core's own ELF by --elf)")
        text += frames
    return text


def explain(lines: Iterable[str]) -> list[str]:
    """`describe` with the core of this build; why it cannot be done stands in its place."""
    try:
        return describe(lines, core_elf())
    except UserError as error:
        return [error.render()]
