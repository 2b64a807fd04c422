# SPDX-License-Identifier: MIT
"""The user's terminal in raw mode, given back as it was on every way out, signals included."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from types import FrameType


class Interrupted(Exception):
    """A signal that asks the program to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)


def is_terminal() -> bool:
    """True if both keyboard and screen are a terminal's."""
    return sys.stdin.isatty() and sys.stdout.isatty()


@contextlib.contextmanager
def ending_signals() -> Iterator[None]:
    """Turns the signals that end a program into Interrupted, so that the clean-up runs."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_IGN)  # once is enough; the clean-up must not be cut
        raise Interrupted(number)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def raw_mode() -> Iterator[None]:
    """Keys come one by one and unechoed while inside."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def write_all(text: str) -> None:
    """Writes to the screen at once, whatever Python's buffering."""
    data = text.encode(sys.stdout.encoding or "utf-8", errors="replace")
    descriptor = sys.stdout.fileno()
    while data:
        data = data[os.write(descriptor, data) :]
