# SPDX-License-Identifier: MIT
"""The console's `framed` wire format (docs/console.md): frames in and out, and the control messages."""

from __future__ import annotations

from dataclasses import dataclass

MARK = 0x1E
CONTROL = 0
RAW = -1
LONGEST = 255
_LONGEST_CONTROL_LINE = 65536


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes of one stream, in order; a long frame may arrive as several chunks. RAW means outside of any frame."""

    stream: int
    data: bytes


class Decoder:
    """Takes the wire's bytes as they come; noise gives noise in some stream, never an exception."""

    def __init__(self) -> None:
        self._header: list[int] | None = None
        self._left = 0

    def feed(self, data: bytes) -> list[Chunk]:
        """The chunks that `data` completes or continues."""
        chunks: list[Chunk] = []
        position = 0
        while position < len(data):
            if self._left:
                assert self._header is not None
                part = data[position : position + self._left]
                chunks.append(Chunk(self._header[0], part))
                position += len(part)
                self._take(len(part))
            elif self._header is not None:
                self._header.append(data[position])
                position += 1
                self._end_header()
            else:
                position = self._outside(data, position, chunks)
        return chunks

    def _take(self, count: int) -> None:
        self._left -= count
        if not self._left:
            self._header = None

    def _end_header(self) -> None:
        if self._header is not None and len(self._header) == 2:
            self._left = self._header[1]
            if not self._left:
                self._header = (
                    None  # a frame of no bytes: the NULs that a panic sends first, or noise
                )

    def _outside(self, data: bytes, position: int, chunks: list[Chunk]) -> int:
        end = data.find(MARK, position)
        text = data[position : end if end >= 0 else len(data)].replace(b"\0", b"")
        if text:
            chunks.append(Chunk(RAW, text))
        if end < 0:
            return len(data)
        self._header = []
        return end + 1


def encode(stream: int, data: bytes) -> bytes:
    """The frames that carry `data` on `stream`; empty data needs none."""
    if not 0 <= stream <= 255:
        raise ValueError(f"stream {stream} is not in 0..255")
    parts = (data[at : at + LONGEST] for at in range(0, len(data), LONGEST))
    return b"".join(bytes((MARK, stream, len(part))) + part for part in parts)


def focus_request(stream: int) -> bytes:
    """The control frame that moves the keyboard's focus."""
    return encode(CONTROL, f"focus {stream}\n".encode())


def streams_request() -> bytes:
    """The control frame that asks for the list of streams again."""
    return encode(CONTROL, b"streams\n")


class Control:
    """What the control stream said so far: the names of the streams and the focus."""

    def __init__(self) -> None:
        self.names: dict[int, str] = {}
        self.focus: int | None = None
        self._line = b""

    def feed(self, data: bytes) -> bool:
        """Takes bytes of stream 0; True if the names or the focus were announced."""
        *lines, self._line = (self._line + data).split(b"\n")
        self._line = self._line[-_LONGEST_CONTROL_LINE:]
        return any([self._message(line.decode(errors="replace").split()) for line in lines])

    def _message(self, words: list[str]) -> bool:
        if len(words) >= 1 and words[0] == "streams":
            names = dict(pair for word in words[1:] if (pair := _stream(word)) is not None)
            self.names = names
            return True
        if len(words) == 2 and words[0] == "focus" and (focus := _number(words[1])) is not None:
            self.focus = focus
            return True
        return False


def _stream(word: str) -> tuple[int, str] | None:
    number, equals, name = word.partition("=")
    stream = _number(number)
    return (stream, name) if equals and name and stream else None


def _number(word: str) -> int | None:
    if not (word.isascii() and word.isdecimal() and len(word) <= 3):
        return None
    number = int(word)
    return number if number <= 255 else None
