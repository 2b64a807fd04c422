# SPDX-License-Identifier: MIT
"""The escape key of `run`: Ctrl-\\ and a letter; every other key belongs to the focused partition."""

from __future__ import annotations

import enum
from dataclasses import dataclass

ESCAPE = 0x1C
HELP = "Ctrl-\\ then: n next stream, 1-9 stream by number, p lifecycle's prompt, q quit, ? help"


class Action(enum.Enum):
    """What an escape sequence asks for."""

    SEND = "send"
    NEXT = "next"
    PROMPT = "prompt"
    STREAM = "stream"
    HELP = "help"
    QUIT = "quit"


@dataclass(frozen=True, slots=True)
class Key:
    """Keys for the partition (`data` of SEND), or an action; `number` is STREAM's."""

    action: Action
    data: bytes = b""
    number: int = 0


_LETTERS = {
    ord("n"): Action.NEXT,
    ord("p"): Action.PROMPT,
    ord("q"): Action.QUIT,
    ord("?"): Action.HELP,
}


class Keyboard:
    """Splits what the terminal sends; the escape key twice sends it once."""

    def __init__(self) -> None:
        self._escaped = False

    def feed(self, data: bytes) -> list[Key]:
        """The actions in order."""
        keys: list[Key] = []
        plain = bytearray()
        for byte in data:
            if not self._escaped and byte != ESCAPE:
                plain.append(byte)
            elif not self._escaped:
                self._escaped = True
            else:
                self._escaped = False
                if byte == ESCAPE:
                    plain.append(byte)
                    continue
                if plain:
                    keys.append(Key(Action.SEND, bytes(plain)))
                    plain.clear()
                keys.append(_action(byte))
        if plain:
            keys.append(Key(Action.SEND, bytes(plain)))
        return keys


def _action(byte: int) -> Key:
    if ord("1") <= byte <= ord("9"):
        return Key(Action.STREAM, number=byte - ord("0"))
    return Key(_LETTERS.get(byte, Action.HELP))
