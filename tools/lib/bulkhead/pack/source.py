# SPDX-License-Identifier: MIT
"""A TOML file with the line of every key: read strictly by tomllib, the lines found by a scan of the (then valid) text."""

from __future__ import annotations

import bisect
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulkhead.errors import Place, UserError

Path_ = tuple[str | int, ...]
_LONGEST = 128 << 10
_DEEPEST = 12


@dataclass(frozen=True, slots=True)
class Source:
    """A description's file: its data, and where each key stands."""

    file: Path
    data: dict[str, Any]
    lines: dict[Path_, int]

    def line(self, path: Path_) -> int | None:
        """The line of a key, or of the nearest table around it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return None

    def place(self, path: Path_, note: str = "") -> Place:
        """A second place for a message."""
        return Place(self.file, self.line(path), note)

    def error(
        self, code: str, message: str, path: Path_, hint: str = "", *also: Place
    ) -> UserError:
        """A mistake at a key."""
        return UserError(
            message, code=code, file=self.file, line=self.line(path), hint=hint, also=also
        )


def read_source(file: Path) -> Source:
    """Reads a TOML file; whatever is wrong with it is a UserError."""
    try:
        with file.open("rb") as stream:
            raw = stream.read(_LONGEST + 1)
    except OSError as error:
        raise UserError(f"cannot read it: {error.strerror}", code="E007", file=file) from None
    if len(raw) > _LONGEST:
        raise UserError("more than 128 KiB: this is no system description", code="E001", file=file)
    return parse_source(file, raw)


def parse_source(file: Path, raw: bytes) -> Source:
    """The same for bytes in hand."""
    try:
        text = raw.decode("utf-8").replace("\r\n", "\n")
        data = tomllib.loads(text)
        if any(len(path) > _DEEPEST for path, _ in _values(data)):
            raise RecursionError
        lines = _Scanner(text).lines
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise UserError("not UTF-8 text", code="E001", file=file, line=line) from None
    except RecursionError:
        raise UserError("nested too deeply", code="E001", file=file) from None
    except ValueError as error:
        message, where = _syntax(str(error))
        raise UserError(message, code="E001", file=file, line=where) from None
    source = Source(file, data, lines)
    for path, value in _values(data):
        if isinstance(value, str) and "\0" in value or "\0" in str(path[-1]):
            raise source.error("E004", "a text with a NUL character", path)
        if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
            raise source.error("E004", f"'{path[-1]}' is a number beyond 64 bits", path)
    return source


def _syntax(message: str) -> tuple[str, int | None]:
    """tomllib's message, its place taken out."""
    text, _, place = message.partition(" (at line ")
    number = place.split(",")[0]
    if text == "Cannot overwrite a value":
        text = "the key stands there twice"
    if place and number.isdecimal():
        return text, int(number)
    if "integer string conversion" in message:
        return "a number of thousands of digits", None
    return message[:200], None


def _values(data: dict[str, Any]) -> Iterator[tuple[Path_, Any]]:
    """Every value with its path, without recursion; stops going down below the depth that is allowed."""
    stack: list[tuple[Path_, Any]] = [((), data)]
    while stack:
        path, value = stack.pop()
        if path:
            yield path, value
        if len(path) > _DEEPEST:
            continue
        if isinstance(value, dict):
            stack += [((*path, key), inner) for key, inner in value.items()]
        elif isinstance(value, list):
            stack += [((*path, index), inner) for index, inner in enumerate(value)]


class _Scanner:
    """Finds the line of every key and array element of valid TOML."""

    def __init__(self, text: str) -> None:
        self.lines: dict[Path_, int] = {}
        self._text = text
        self._at = 0
        self._newlines = [index for index, char in enumerate(text) if char == "\n"]
        self._arrays: dict[Path_, int] = {}
        self._statements()

    def _statements(self) -> None:
        table: Path_ = ()
        while self._skip(" \t\n"):
            if self._text[self._at] == "[":
                array = self._text.startswith("[[", self._at)
                self._at += 2 if array else 1
                table = self._header(self._key(), array)
                self._at = self._end_of_line()
            else:
                self._pair(table)

    def _header(self, key: list[str], array: bool) -> Path_:
        path: Path_ = ()
        for index, part in enumerate(key):
            path = (*path, part)
            self._note(path)
            if array and index == len(key) - 1:
                self._arrays[path] = self._arrays.get(path, -1) + 1
            if path in self._arrays:
                path = (*path, self._arrays[path])
                self._note(path)
        return path

    def _pair(self, table: Path_) -> None:
        path = table
        for part in self._key():
            path = (*path, part)
            self._note(path)
        self._skip(" \t")
        self._at += 1  # '='
        self._skip(" \t")
        self._value(path)

    def _key(self) -> list[str]:
        parts: list[str] = []
        while True:
            self._skip(" \t")
            start = self._at
            if self._text[start] in "\"'":
                self._string()
                parts += tomllib.loads(f"k = {self._text[start:self._at]}").values()
            else:
                while self._text[self._at].isalnum() or self._text[self._at] in "-_":
                    self._at += 1
                parts.append(self._text[start : self._at])
            self._skip(" \t")
            if self._text[self._at] != ".":
                return parts
            self._at += 1

    def _value(self, path: Path_) -> None:
        char = self._text[self._at]
        if char in "\"'":
            self._string()
        elif char == "[":
            self._sequence("]", path)
        elif char == "{":
            self._sequence("}", path)
        else:
            while self._at < len(self._text) and self._text[self._at] not in ",]}\n#":
                self._at += 1

    def _sequence(self, end: str, path: Path_) -> None:
        self._at += 1
        index = 0
        while self._skip(" \t\n,") and self._text[self._at] != end:
            if end == "]":
                self._note((*path, index))
                self._value((*path, index))
                index += 1
            else:
                self._pair(path)
        self._at += 1

    def _string(self) -> None:
        quote = self._text[self._at]
        triple = self._text.startswith(quote * 3, self._at)
        end = quote * 3 if triple else quote
        self._at += len(end)
        while not self._text.startswith(end, self._at):
            self._at += 2 if quote == '"' and self._text[self._at] == "\\" else 1
        self._at += len(end)
        while triple and self._at < len(self._text) and self._text[self._at] == quote:
            self._at += 1  # up to two quotes may stand before the closing ones

    def _skip(self, blanks: str) -> bool:
        """Passes blanks and comments; False at the end of the text."""
        while self._at < len(self._text):
            if self._text[self._at] == "#":
                self._at = self._end_of_line()
            elif self._text[self._at] in blanks:
                self._at += 1
            else:
                return True
        return False

    def _end_of_line(self) -> int:
        end = self._text.find("\n", self._at)
        return len(self._text) if end < 0 else end

    def _note(self, path: Path_) -> None:
        self.lines.setdefault(path, bisect.bisect_left(self._newlines, self._at) + 1)
