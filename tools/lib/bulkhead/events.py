# SPDX-License-Identifier: MIT
"""The log's grammar, `[seconds.micros] source: event key=value …`: one parser for the tools and the plugin."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

Value = str | int | bool | re.Pattern[str]

_LINE = re.compile(
    r"\[ *(?P<seconds>\d+)\.(?P<micros>\d{6})\] (?P<source>[\w.-]+): (?P<name>[a-z][\w.-]*)(?P<rest>(?: .*)?)"
)
_OFF = re.compile(r"(?P<source>machine): (?P<name>off)(?P<rest>(?: .*)?)")
_PAIR = re.compile(
    r' +(?P<key>[A-Za-z_][\w.-]*)=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s"]*))'
)
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the log. `time_us` counts from the start of the machine; `stream` is where it was read."""

    time_us: int
    source: str
    name: str
    keys: Mapping[str, str] = field(default_factory=dict)
    stream: str = ""
    line: str = ""

    @property
    def partition(self) -> str:
        """Whom the event is about: its `partition` key, else its source."""
        return self.keys.get("partition", self.source)

    def number(self, key: str) -> int:
        """The value of `key` as a number in any base that Python reads."""
        return int(self.keys[key], 0)

    def matches(self, name: str | None = None, **keys: Value) -> bool:
        """True if the name and every key agree; `source` and `partition` have the meaning above."""
        if name is not None and name != self.name:
            return False
        return all(self._agrees(key, wanted) for key, wanted in keys.items())

    def _agrees(self, key: str, wanted: Value) -> bool:
        special = {"source": self.source, "partition": self.partition, "stream": self.stream}
        have = self.keys[key] if key in self.keys else special.get(key)
        return have is not None and same_value(have, wanted)


def same_value(have: str, wanted: Value) -> bool:
    """Compares a value of the log: a number in any base, a pattern as a full match, text as it is."""
    if isinstance(wanted, re.Pattern):
        return wanted.fullmatch(have) is not None
    if isinstance(wanted, bool):
        return have in (("true", "yes", "1") if wanted else ("false", "no", "0"))
    if isinstance(wanted, int):
        try:
            return int(have, 0) == wanted
        except ValueError:
            return False
    return have == str(wanted)


def parse_event(line: str, stream: str = "") -> Event | None:
    """The event that a line holds, or None for any other text."""
    found = _LINE.fullmatch(line) or _OFF.fullmatch(line)
    if found is None:
        return None
    keys = _parse_keys(found["rest"])
    if keys is None:
        return None
    groups = found.groupdict()
    time_us = int(groups.get("seconds") or 0) * 1_000_000 + int(groups.get("micros") or 0)
    return Event(time_us, found["source"], found["name"], keys, stream, line)


def _parse_keys(rest: str) -> dict[str, str] | None:
    keys: dict[str, str] = {}
    position = 0
    rest = rest.rstrip(" ")
    while position < len(rest):
        pair = _PAIR.match(rest, position)
        if pair is None:
            return None
        quoted = pair["quoted"]
        keys[pair["key"]] = pair["bare"] if quoted is None else _ESCAPE.sub(_unescape, quoted)
        position = pair.end()
    return keys


def _unescape(found: re.Match[str]) -> str:
    return {"n": "\n", "t": "\t", "r": "\r"}.get(found[1], found[1])


def parse_log(lines: Iterable[str]) -> Iterator[Event]:
    """Every event in a saved log; other lines are passed over."""
    for line in lines:
        event = parse_event(line.rstrip("\r\n"))
        if event is not None:
            yield event
