# SPDX-License-Identifier: MIT
"""What a machine said: its console's bytes as a stream per partition, the log's events, a panic, the end."""

from __future__ import annotations

import codecs
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from bulkhead import framed
from bulkhead.events import Event, parse_event

CORE = "core"
LIFECYCLE = "lifecycle"

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC and other strings
    r"|\x1b[ -/]+[0-~]|\x1b[0-OQ-WYZ\\`-~]"
    r"|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]"
)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]P^_X][^\x07\x1b]*\x1b?|[ -/]*)?\Z")
_LONGEST_ESCAPE = 256
_STAMP = r"(?:\[ *\d+\.\d{6}\] )?"
_PANIC = re.compile(_STAMP + r"core: panic\b(?! end)")
_COMPLAINT = re.compile(_STAMP + r"(?P<text>core: error.*)")
_PANIC_END = re.compile(_STAMP + r"core: panic end\b")


class Cleaner:
    """Turns a stream's bytes into text without colours and other controls, as they come."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._held = ""

    def feed(self, data: bytes) -> str:
        """The text of `data`; an escape sequence that is not complete waits for the rest."""
        text = self._held + self._decode(data)
        unfinished = _UNFINISHED.search(text)
        held = unfinished.start() if unfinished else len(text)
        if len(text) - held > _LONGEST_ESCAPE:
            held = len(text)
        self._held = text[held:]
        return _ESCAPES.sub("", text[:held])


class Stream:
    """One partition's output: `raw` bytes, `text` without colours, and `partial`, the line not yet ended."""

    def __init__(self, name: str, keep: bool = True) -> None:
        self.name = name
        self.raw = bytearray()
        self.text = ""
        self.partial = ""
        self.changed = 0.0
        self._keep = keep
        self._cleaner = Cleaner()

    def __repr__(self) -> str:
        return f"Stream({self.name!r}, {len(self.raw)} bytes)"

    @property
    def lines(self) -> list[str]:
        """The complete lines so far."""
        return self.text.split("\n")[:-1]

    def feed(self, data: bytes, now: float) -> tuple[str, list[str]]:
        """Takes bytes; gives their clean text and the lines that they complete."""
        clean = self._cleaner.feed(data)
        self.changed = now
        if self._keep:
            self.raw += data
            self.text += clean
        *lines, self.partial = (self.partial + clean).split("\n")
        return clean, lines


@dataclass(frozen=True, slots=True)
class Output:
    """A piece of one stream's output: the bytes, their clean text, and the lines that it completed."""

    stream: Stream
    data: bytes
    clean: str
    lines: list[str]


class Transcript:
    """All that came from the machine's console. Only the core and lifecycle are believed about its end.

    `complaint` is the last word about a fault, or about an image or a machine that the core refuses.
    """

    def __init__(self, keep: bool = True, clock: Callable[[], float] = time.monotonic) -> None:
        self.streams: dict[str, Stream] = {}
        self.control = framed.Control()
        self.events: list[Event] = []
        self.off: Event | None = None
        self.panic: list[str] = []
        self.panic_ended = False
        self.complaint = ""
        self._keep = keep
        self._clock = clock
        self._decoder = framed.Decoder()

    @property
    def focus(self) -> str | None:
        """The name of the stream that has the keyboard, as the console announced it."""
        return None if self.control.focus is None else self.name_of(self.control.focus)

    def name_of(self, stream: int) -> str:
        """A stream's name; one that the console has not announced is called by its number."""
        if stream == framed.RAW:
            return CORE
        return self.control.names.get(stream, f"stream{stream}")

    def id_of(self, name: str) -> int | None:
        """A stream's number on the wire, once the console has announced it."""
        return next((key for key, value in self.control.names.items() if value == name), None)

    def stream(self, name: str) -> Stream:
        """The stream called `name`, empty if nothing came yet."""
        if name not in self.streams:
            self.streams[name] = Stream(name, self._keep)
        return self.streams[name]

    def feed(self, data: bytes) -> list[Output]:
        """Takes bytes of the wire, and gives what they add to the streams."""
        outputs: list[Output] = []
        for chunk in self._decoder.feed(data):
            if chunk.stream == framed.CONTROL:
                if self.control.feed(chunk.data):
                    self._announced()
                continue
            stream = self.stream(self.name_of(chunk.stream))
            clean, lines = stream.feed(chunk.data, self._clock())
            for line in lines:
                self._line(stream.name, line)
            outputs.append(Output(stream, chunk.data, clean, lines))
        return outputs

    def _announced(self) -> None:
        for number, name in self.control.names.items():
            unnamed = self.streams.pop(f"stream{number}", None)
            if unnamed is not None and name not in self.streams:
                unnamed.name = name
                self.streams[name] = unnamed
            self.stream(name)

    def _line(self, stream: str, line: str) -> None:
        trusted = stream in (CORE, LIFECYCLE)
        if stream == CORE:
            self._core_line(line)
        event = parse_event(line, stream)
        if event is None or not (trusted or event.source == stream):
            return
        if self._keep:
            self.events.append(event)
        if trusted and event.name.startswith("fault."):
            self.complaint = line.partition("] ")[2]
        if trusted and event.source == "machine" and event.name == "off":
            self.off = self.off or event

    def _core_line(self, line: str) -> None:
        complaint = _COMPLAINT.match(line)
        if complaint:
            self.complaint = complaint["text"]
        if self.panic_ended:
            return
        if _PANIC_END.match(line):
            self.panic_ended = bool(self.panic)
        if self.panic or _PANIC.match(line):
            self.panic.append(line)
