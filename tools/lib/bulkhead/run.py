# SPDX-License-Identifier: MIT
"""`bulkhead run`: boots a packed system, hands the terminal over, and says why it ended."""

from __future__ import annotations

import contextlib
import math
import os
import select
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bulkhead import framed, terminal
from bulkhead.keys import HELP, Action, Key, Keyboard
from bulkhead.machine import Machine
from bulkhead.render import Renderer
from bulkhead.streams import LIFECYCLE, Transcript
from bulkhead.symbolize import explain
from bulkhead.until import Until

_TICK_S = 0.05
_GRACE_S = 3.0
_ORDERS = ("poweroff", "reset")


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a run ended: `status` is the command's exit status."""

    status: int
    reason: str


class Run:
    """One boot. `write` draws on the screen; `interactive` takes keys from stdin."""

    def __init__(
        self,
        machine: Machine,
        patterns: Sequence[Until] = (),
        timeout: float | None = None,
        interactive: bool = False,
        write: Callable[[str], None] = terminal.write_all,
    ) -> None:
        self._machine = machine
        self._until = patterns
        self._timeout = timeout
        self._interactive = interactive
        self._transcript = Transcript(keep=False)
        self._keyboard = Keyboard()
        self._focus: int | None = None
        self._grace: float | None = None
        width = shutil.get_terminal_size().columns
        self._renderer = Renderer(write, terminal=interactive, width=width)

    def loop(self) -> Ending:
        """Runs until something ends it; the machine must have been started."""
        started = time.monotonic()
        if self._interactive:
            self._renderer.note(f"bulkhead: {HELP}")
        ending: Ending | None = None
        try:
            while ending is None:
                quit_by_key = self._turn()
                ending = quit_by_key or self._ending(time.monotonic() - started)
        finally:
            self._renderer.finish()
        return ending

    def frames(self) -> list[str]:
        """The frames of the panic, if there was one."""
        return explain(self._transcript.panic)

    def _turn(self) -> Ending | None:
        keys = [sys.stdin.fileno()] if self._interactive else []
        data = self._machine.read(_TICK_S, keys)
        before = self._transcript.control.focus
        for output in self._transcript.feed(data):
            for pattern in self._until:
                for line in output.lines:
                    pattern.see(output.stream.name, line)
            self._renderer.feed(output)
        focus = self._transcript.control.focus
        if focus != before and focus != self._focus:
            self._focus = focus
            self._say_focus()
        self._renderer.focus = (
            None if self._focus is None else self._transcript.name_of(self._focus)
        )
        self._renderer.tick()
        self._see_prompts()
        return self._keys() if self._interactive else None

    def _see_prompts(self) -> None:
        # Once it has ended, no line can go on.
        now = math.inf if self._machine.closed else time.monotonic()
        for stream in self._transcript.streams.values():
            for pattern in self._until:
                pattern.see_prompt(stream, now)

    def _keys(self) -> Ending | None:
        if not select.select([sys.stdin], [], [], 0)[0]:
            return None
        data = os.read(sys.stdin.fileno(), 4096)
        if not data:
            return Ending(1, "the terminal went away")
        for key in self._keyboard.feed(data):
            if key.action is Action.QUIT:
                return Ending(0, "quit by the key")
            self._key(key)
        return None

    def _key(self, key: Key) -> None:
        names = self._transcript.control.names
        if key.action is Action.SEND:
            # Before the console has said who has the focus, the bytes are its to place.
            data = key.data if self._focus is None else framed.encode(self._focus, key.data)
            self._machine.write(data)
        elif key.action is Action.NEXT and names:
            ids = sorted(names)
            later = [number for number in ids if number > (self._focus or 0)]
            self._move(later[0] if later else ids[0])
        elif key.action is Action.PROMPT:
            self._move(self._transcript.id_of(LIFECYCLE))
        elif key.action is Action.STREAM:
            self._move(key.number if key.number in names else None)
        else:
            listed = " ".join(f"{number}={name}" for number, name in sorted(names.items()))
            self._renderer.note(f"bulkhead: {HELP}\nbulkhead: streams {listed or 'not known yet'}")

    def _move(self, stream: int | None) -> None:
        if stream is None:
            self._renderer.note("bulkhead: there is no such stream (yet)")
            return
        self._focus = stream
        self._machine.write(framed.focus_request(stream))
        self._say_focus()

    def _say_focus(self) -> None:
        if self._interactive and self._focus is not None:
            self._renderer.note(f"bulkhead: the keys go to {self._transcript.name_of(self._focus)}")

    def _ending(self, elapsed: float) -> Ending | None:
        transcript = self._transcript
        if self._until and all(pattern.matched for pattern in self._until):
            return Ending(0, "all patterns matched")
        if transcript.panic and (transcript.panic_ended or self._machine.closed or self._waited()):
            return Ending(1, f"the core panicked: {transcript.panic[0]}")
        if transcript.off is not None:
            return self._off(transcript.off.keys.get("reason", "unknown"), transcript.off.line)
        if self._machine.closed:
            return self._died()
        if self._timeout is not None and elapsed >= self._timeout:
            return Ending(1, f"timeout after {self._timeout:g} s{self._missing()}")
        return None

    def _off(self, reason: str, line: str) -> Ending | None:
        if not self._machine.closed and not self._waited():
            return None  # what is still on the wire may hold more
        if reason not in _ORDERS:
            complaint = self._transcript.complaint
            why = f" after {complaint}" if complaint else ""
            return Ending(1, f"the machine ended: {line}{why}")
        if self._until:
            return Ending(1, f"the machine ended by order (reason={reason}){self._missing()}")
        return Ending(0, f"the machine ended by order: {line}")

    def _died(self) -> Ending:
        status = self._machine.status(timeout=_GRACE_S)
        said = self._machine.complaints()
        if status:
            detail = f"QEMU failed with status {status}"
        else:
            detail = "QEMU ended without a `machine: off` line from the core or lifecycle"
        return Ending(3, f"{detail}: {said}" if said else detail)

    def _waited(self) -> bool:
        self._grace = self._grace or time.monotonic()
        return time.monotonic() - self._grace >= _GRACE_S

    def _missing(self) -> str:
        missing = [f"'{pattern.text}'" for pattern in self._until if not pattern.matched]
        return f"; not matched: {', '.join(missing)}" if missing else ""


def run(
    command: Sequence[str], patterns: Sequence[Until] = (), timeout: float | None = None
) -> Ending:
    """Boots QEMU with `command`; the terminal is as before when this returns or raises."""
    interactive = terminal.is_terminal()
    try:
        with terminal.ending_signals(), Machine(command) as machine:
            boot = Run(machine, patterns, timeout, interactive)
            with terminal.raw_mode() if interactive else contextlib.nullcontext():
                ending = boot.loop()
    except terminal.Interrupted as signal:
        return Ending(1, f"ended by {signal}")
    except BrokenPipeError:
        return Ending(1, "nobody reads the output")
    for line in boot.frames():
        print(line, file=sys.stderr)
    return ending
