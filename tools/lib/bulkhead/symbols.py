# SPDX-License-Identifier: MIT
"""Names and source lines of code addresses, from an ELF file's symbols and line programs."""

from __future__ import annotations

import bisect
import functools
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from elftools.elf.elffile import ELFFile

_FILT = ("aarch64-linux-gnu-c++filt", "c++filt")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an address is: a function and the byte in it, a file and a line (0: not known)."""

    function: str
    offset: int
    file: str
    line: int

    def __str__(self) -> str:
        where = f" at {self.file}:{self.line}" if self.line else ""
        return f"{self.function}+{self.offset:#x}{where}"


class Functions:
    """Looks functions up; reads the symbol table once."""

    def __init__(self, elf: ELFFile) -> None:
        self._functions = sorted(_functions(elf))
        self._starts = [start for start, _, _ in self._functions]

    def find(self, address: int) -> tuple[int, str] | None:
        """Where the function at `address` begins, and its name as it was linked."""
        at = bisect.bisect_right(self._starts, address) - 1
        if at < 0:
            return None
        start, size, name = self._functions[at]
        return (start, name) if address < start + max(size, 4) else None


class Symbols:
    """Looks addresses up; reads the tables once."""

    def __init__(self, elf: ELFFile) -> None:
        self._functions = Functions(elf)
        self._rows = sorted(_rows(elf))
        self._addresses = [row[0] for row in self._rows]

    def place(self, address: int) -> Place | None:
        """What is at `address`, or None if no function is."""
        found = self._functions.find(address)
        if found is None:
            return None
        start, name = found
        file, line = self._line(address)
        return Place(demangled(name), address - start, file, line)

    def _line(self, address: int) -> tuple[str, int]:
        at = bisect.bisect_right(self._addresses, address) - 1
        if at < 0:
            return "", 0
        _, end, file, line = self._rows[at]
        return (file, line) if address < end else ("", 0)


@functools.cache
def demangled(name: str, *options: str) -> str:
    """A name as its source has it; `options` are c++filt's."""
    tool = next((tool for tool in _FILT if shutil.which(tool)), None)
    if tool is None or not name.startswith("_Z"):
        return name
    done = subprocess.run([tool, *options, "--", name], capture_output=True, text=True)
    return done.stdout.strip() or name


def _functions(elf: ELFFile) -> list[tuple[int, int, str]]:
    table = elf.get_section_by_name(".symtab")
    if table is None:
        return []
    functions = []
    for symbol in table.iter_symbols():
        kind = symbol["st_info"]["type"]
        code = kind == "STT_FUNC" or (kind == "STT_NOTYPE" and _in_text(elf, symbol))
        if code and symbol.name and not symbol.name.startswith("$"):
            functions.append((symbol["st_value"], symbol["st_size"], symbol.name))
    return _sized(functions)


def _in_text(elf: ELFFile, symbol: Any) -> bool:
    index = symbol["st_shndx"]
    return isinstance(index, int) and bool(elf.get_section(index)["sh_flags"] & 4)


def _sized(functions: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Assembly's labels have no size: they reach to the next symbol."""
    ordered = sorted(functions)
    following = [start for start, _, _ in ordered[1:]] + [ordered[-1][0] + 4] if ordered else []
    return [
        (start, size or end - start, name) for (start, size, name), end in zip(ordered, following)
    ]


def _rows(elf: ELFFile) -> list[tuple[int, int, str, int]]:
    if not elf.has_dwarf_info():
        return []
    dwarf = elf.get_dwarf_info()
    rows: list[tuple[int, int, str, int]] = []
    for unit in dwarf.iter_CUs():
        program = dwarf.line_program_for_CU(unit)
        if program is None:
            continue
        files = _files(program)
        before: Any = None
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            if before is not None and before.address < state.address:
                rows.append(
                    (before.address, state.address, files.get(before.file, ""), before.line)
                )
            before = None if state.end_sequence else state
    return rows


def _files(program: Any) -> dict[int, str]:
    header = program.header
    first = 0 if header["version"] >= 5 else 1
    folders = [_text(folder) for folder in header["include_directory"]]
    if first:
        folders.insert(0, "")
    files = {}
    for number, entry in enumerate(header["file_entry"], first):
        folder = folders[entry.dir_index] if entry.dir_index < len(folders) else ""
        path = PurePosixPath(_text(entry.name))
        inside = PurePosixPath(folder) / path if folder and not path.is_absolute() else path
        files[number] = str(inside).removeprefix("../")  # the build folder is in the checkout
    return files


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
