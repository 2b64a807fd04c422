# SPDX-License-Identifier: MIT
"""Draws all streams on one screen: a tag and a colour per partition, the focused one byte by byte, the others by line."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable

from bulkhead.streams import Cleaner, Output

_COLOURS = ("36", "33", "32", "35", "34", "96", "93", "92", "95", "94")
_TAG_WIDTH = 10
_QUIET_S = 0.1


def plain(text: str) -> str:
    """The text without colours and controls."""
    return Cleaner().feed(text.encode())


class Renderer:
    """`write` takes text; on a terminal (`terminal`) in raw mode the focused stream is drawn as it comes."""

    def __init__(
        self,
        write: Callable[[str], None],
        *,
        terminal: bool,
        width: int = 80,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write = write
        self._terminal = terminal
        self._width = width
        self._clock = clock
        self._newline = "\r\n" if terminal else "\n"
        self._focus: str | None = None
        self._open: str | None = None  # whose unfinished line the cursor is in
        self._partial: dict[str, str] = {}
        self._shown: dict[str, int] = {}
        self._changed: dict[str, float] = {}
        self._colours: dict[str, str] = {}
        self._decoders: dict[str, codecs.IncrementalDecoder] = {}

    @property
    def focus(self) -> str | None:
        """The stream that is drawn byte by byte."""
        return self._focus

    @focus.setter
    def focus(self, name: str | None) -> None:
        if name == self._focus or not self._terminal:
            return
        self._close_line()
        self._focus = name
        self._show_focus()

    def feed(self, output: Output) -> None:
        """Draws a piece of a stream's output."""
        name = output.stream.name
        raw = self._terminal and name == self._focus
        text = self._decode(name, output.data) if raw else output.clean
        for piece in _split(text):
            ended = piece.endswith("\n")
            self._partial[name] = self._partial.get(name, "") + piece.rstrip(
                "\r\n" if ended else ""
            )
            self._changed[name] = self._clock()
            if ended or raw:
                self._show(name, ended)

    def tick(self) -> None:
        """Draws lines that have no end yet but have been quiet, so that a prompt shows; call it often."""
        for name, changed in list(self._changed.items()):
            if self._clock() - changed >= _QUIET_S:
                del self._changed[name]
                if len(self._partial.get(name, "")) > self._shown.get(name, 0):
                    self._show(name, False)

    def note(self, text: str) -> None:
        """Draws a line of the tool's own."""
        self._close_line()
        for line in text.split("\n"):
            self._write((f"\x1b[1m{line}\x1b[0m" if self._terminal else line) + self._newline)
        self._show_focus()

    def finish(self) -> None:
        """Draws what is left and ends the line."""
        for name in list(self._partial):
            if len(self._partial[name]) > self._shown.get(name, 0):
                self._show(name, False)
        if self._open is not None:
            self._write(self._newline)
            self._open = None

    def _decode(self, name: str, data: bytes) -> str:
        if name not in self._decoders:
            self._decoders[name] = codecs.getincrementaldecoder("utf-8")("replace")
        return self._decoders[name].decode(data).replace("\r\n", "\n").replace("\0", "")

    def _show(self, name: str, ended: bool) -> None:
        if self._open != name:
            self._close_line()
            self._write(self._tag(name))
            self._open = name
        text = self._partial.get(name, "")
        self._write(text[self._shown.get(name, 0) :])
        self._shown[name] = len(text)
        if ended:
            self._write(("\x1b[0m" if name == self._focus else "") + self._newline)
            self._partial[name] = ""
            self._shown[name] = 0
            self._open = None
            if name != self._focus:
                self._show_focus()

    def _show_focus(self) -> None:
        name = self._focus
        if name is not None and self._open != name and self._partial.get(name):
            self._shown[name] = 0
            self._show(name, False)

    def _close_line(self) -> None:
        name, self._open = self._open, None
        if name is None:
            return
        length = len(plain(self._partial.get(name, ""))) + _TAG_WIDTH + 3
        if self._terminal and name == self._focus and length < self._width:
            self._write("\x1b[0m\r\x1b[K")  # it is drawn again below the other line
        else:
            self._write(self._newline)

    def _tag(self, name: str) -> str:
        tag = f"{name:<{_TAG_WIDTH}} | "
        if not self._terminal:
            return tag
        if name not in self._colours:
            self._colours[name] = _COLOURS[len(self._colours) % len(_COLOURS)]
        return f"\x1b[{self._colours[name]}m{tag}\x1b[0m"


def _split(text: str) -> list[str]:
    pieces = [piece + "\n" for piece in text.split("\n")]
    pieces[-1] = pieces[-1][:-1]
    return [piece for piece in pieces if piece]
