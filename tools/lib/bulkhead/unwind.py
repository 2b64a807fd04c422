# SPDX-License-Identifier: MIT
"""Unwinds an AArch64 stack without frame pointers, from the call frame information of an ELF file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from elftools.common.exceptions import DWARFError, ELFError
from elftools.dwarf.callframe import FDE
from elftools.elf.elffile import ELFFile

LR = 30
SP = 31
_LONGEST = 64
_MASK = (1 << 64) - 1


class Unwinder:
    """`memory` maps 8-byte aligned addresses to words; what it lacks ends the walk."""

    def __init__(self, elf: ELFFile) -> None:
        self._entries: list[tuple[int, int, FDE]] = []
        if elf.has_dwarf_info() or elf.get_section_by_name(".eh_frame"):
            dwarf = elf.get_dwarf_info()
            entries = list(dwarf.CFI_entries()) if dwarf.has_CFI() else []
            entries += list(dwarf.EH_CFI_entries()) if dwarf.has_EH_CFI() else []
            for entry in entries:
                if isinstance(entry, FDE):
                    start = entry["initial_location"]
                    self._entries.append((start, start + entry["address_range"], entry))

    def walk(self, registers: Mapping[int, int], pc: int, memory: Mapping[int, int]) -> list[int]:
        """The pc of every frame, innermost first; a caller's is its return address."""
        frames = [pc]
        current = dict(registers)
        while len(frames) < _LONGEST:
            step = self._caller(current, frames[-1], len(frames) > 1, memory)
            if step is None:
                break
            current, caller = step
            if not caller or (caller == frames[-1] and current[SP] == registers.get(SP)):
                break
            frames.append(caller)
        return frames

    def _caller(
        self, registers: Mapping[int, int], pc: int, returned: bool, memory: Mapping[int, int]
    ) -> tuple[dict[int, int], int] | None:
        row = self._row(pc - 4 if returned else pc)
        if row is None:
            # Assembly without call frame information: a leaf may still hold its caller in x30.
            return None if returned or LR not in registers else (dict(registers), registers[LR])
        rule = row["cfa"]
        if rule.reg is None or rule.reg not in registers:
            return None
        cfa = (registers[rule.reg] + rule.offset) & _MASK
        caller = dict(registers)
        for number, saved in row.items():
            if isinstance(number, int):
                _restore(caller, registers, number, saved, cfa, memory)
        caller[SP] = cfa
        return (caller, caller[LR]) if LR in caller else None

    def _row(self, pc: int) -> dict[Any, Any] | None:
        for start, end, entry in self._entries:
            if start <= pc < end:
                return _last_row(entry, pc)
        return None


def _last_row(entry: FDE, pc: int) -> dict[Any, Any] | None:
    try:
        rows = [row for row in entry.get_decoded().table if row["pc"] <= pc]
    except (DWARFError, ELFError, KeyError, IndexError):
        return None
    return rows[-1] if rows else None


def _restore(
    caller: dict[int, int],
    registers: Mapping[int, int],
    number: int,
    rule: Any,
    cfa: int,
    memory: Mapping[int, int],
) -> None:
    """Applies one register's rule; a value that cannot be known leaves the caller without it."""
    value: int | None
    if rule.type == "OFFSET":
        value = memory.get((cfa + rule.arg) & _MASK)
    elif rule.type == "VAL_OFFSET":
        value = (cfa + rule.arg) & _MASK
    elif rule.type == "REGISTER":
        value = registers.get(rule.arg)
    elif rule.type == "SAME_VALUE":
        value = registers.get(number)
    else:
        value = None
    if value is None:
        caller.pop(number, None)
    else:
        caller[number] = value
