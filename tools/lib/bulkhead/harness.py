# SPDX-License-Identifier: MIT
"""What a test does with a machine: boot a system, expect text and events, send keys, wait for the end."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar, overload

from bulkhead import framed, qemu
from bulkhead.events import Event, Value
from bulkhead.machine import Machine
from bulkhead.qemu import Packed
from bulkhead.streams import Stream, Transcript
from bulkhead.stretches import Watch
from bulkhead.symbolize import explain

_TICK_S = 0.02
_PROMPT_QUIET_S = 0.15
_TAIL = 12
_LONGEST_LOG = 400
_LAST_READS = 100

Pack = Callable[[str | Path, int | None], Packed]
T = TypeVar("T")


class Unexpected(AssertionError):
    """The machine did not say what a test expected."""


class Harness:
    """The fixture `machine`. Timeouts are host seconds, generous, and only a safety net."""

    def __init__(self, pack: Pack, name: str = "", watch: Watch | None = None) -> None:
        """`watch` counts in every packed system how long it stays at EL2, and reports it by `name`."""
        self.transcript = Transcript()
        self._pack = pack
        self._name = name
        self._watch = watch
        self._machine: Machine | None = None
        self._timeout = 60.0
        self._may_panic = False
        self._read_to: dict[str, int] = {}
        self._taken: set[int] = set()

    def pack(self, system: str | Path, cores: int | None = None) -> Packed:
        """Packs (once per session) `system` without starting it; `cores`: for another number of cores than it says."""
        return self._pack(system, cores)

    def boot(
        self,
        system: str | Path | Packed,
        *,
        cpu: str | None = None,
        smp: int | None = None,
        icount: bool = False,
        qemu_args: Sequence[str] = (),
        timeout: float = 60.0,
        may_panic: bool = False,
        kernel: bool = True,
    ) -> Harness:
        """Packs (once per session) and starts `system`; a machine that ran before is stopped.

        With fewer CPUs (`smp`) than a system has cores, it is packed for those. `kernel=False` leaves
        out `-kernel`, for a firmware that loads the image.
        """
        self.stop()
        packed = self.pack(system) if isinstance(system, (str, Path)) else system
        if isinstance(system, (str, Path)) and smp is not None and smp < packed.cpus:
            packed = self.pack(system, smp)
        self.transcript = Transcript()
        self._timeout, self._may_panic = timeout, may_panic
        self._read_to, self._taken = {}, set()
        extra = list(qemu_args)
        if self._watch is not None and not isinstance(packed, qemu.Bare) and not may_panic:
            extra += self._watch.arguments(self._name)
        options = qemu.Options(cpu, smp, icount, tuple(extra), kernel)
        self._machine = Machine(qemu.command(packed, options))
        self._machine.start()
        return self

    @property
    def streams(self) -> Mapping[str, Stream]:
        """Every stream so far by name: `.text` without colours, `.raw` as it came."""
        self.pump()
        return self.transcript.streams

    def events(self, event: str | None = None, **keys: Value) -> list[Event]:
        """The events so far that match; see `expect`."""
        self.pump()
        return [each for each in self.transcript.events if each.matches(event, **keys)]

    @overload
    def expect(
        self,
        text: str | re.Pattern[str],
        partition: str | None = None,
        *,
        timeout: float | None = None,
    ) -> re.Match[str]:
        ...

    @overload
    def expect(
        self,
        *,
        event: str,
        partition: str | None = None,
        timeout: float | None = None,
        **keys: Value,
    ) -> Event:
        ...

    def expect(  # type: ignore[misc]  # mypy 1.0 takes **keys for the named arguments, too
        self,
        text: str | re.Pattern[str] | None = None,
        partition: str | None = None,
        *,
        event: str | None = None,
        timeout: float | None = None,
        **keys: Value,
    ) -> re.Match[str] | Event:
        """Waits for text (a `str` literally) in a complete line or prompt of `partition`, or for an event.

        Text is read on from the last match in that stream; an event is found once, in any order.
        """
        __tracebackhide__ = True
        if event is not None and text is None:
            name, wanted = event, dict(keys)
            if partition is not None:
                wanted["partition"] = partition
            return self._wait(
                lambda: self._find_event(name, wanted),
                f"event {name} {wanted}",
                timeout,
            )
        if event is not None or text is None or keys:
            raise TypeError("expect() takes either a text, or event=… and its keys")
        if isinstance(text, str):
            pattern = re.compile(re.escape(text))
        else:
            pattern = re.compile(text.pattern, text.flags | re.MULTILINE)
        what = f"{text!r} in {partition or 'any stream'}"
        return self._wait(lambda: self._find_text(pattern, partition), what, timeout)

    def send(self, partition: str, text: str | bytes) -> None:
        """Types `text` on the keyboard of `partition`, wherever the focus is; nothing is lost."""
        __tracebackhide__ = True
        data = text.encode() if isinstance(text, str) else text
        self._send_frames(lambda stream: framed.encode(stream, data), partition)

    def send_raw(self, text: str | bytes) -> None:
        """Sends bytes as a plain serial line would: for a program that is no packed system."""
        assert self._machine is not None
        self._machine.write(text.encode() if isinstance(text, str) else text)
        self.pump()

    def focus(self, partition: str) -> None:
        """Moves the keyboard's focus and waits until the console says so."""
        __tracebackhide__ = True
        self._send_frames(framed.focus_request, partition)
        self._wait(
            lambda: self.transcript.focus == partition or None,
            f"focus on {partition}",
            None,
        )

    def wait_off(self, timeout: float | None = None) -> str:
        """Waits for the machine's end; gives the reason of its `machine: off` line."""
        __tracebackhide__ = True
        event = self._wait(lambda: self.transcript.off, "the line `machine: off`", timeout)
        deadline = time.monotonic() + 5.0
        while not self.ended and time.monotonic() < deadline:
            self.pump(_TICK_S)  # the rest of what it said
        return event.keys.get("reason", "unknown")

    def run_for(self, seconds: float) -> None:
        """Lets the machine run for some host time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self.ended:
            self.pump(_TICK_S)

    def pump(self, timeout: float = 0.0) -> None:
        """Reads what the machine said; `expect` and the others do so by themselves."""
        if self._machine is not None:
            self.transcript.feed(self._machine.read(timeout))

    def stop(self) -> None:
        """Ends the machine. Its streams and events stay."""
        if self._machine is not None:
            for _ in range(_LAST_READS):
                if self.ended or not (data := self._machine.read(0.0)):
                    break
                self.transcript.feed(data)
            self._machine.stop()

    @property
    def unexpected_panic(self) -> bool:
        """True if the core panicked in a test that did not say `may_panic`."""
        return bool(self.transcript.panic) and not self._may_panic

    def sections(self) -> list[tuple[str, str]]:
        """The log of every stream, QEMU's own words and a panic's frames, for a report."""
        found = []
        for name, stream in sorted(self.transcript.streams.items()):
            lines = stream.text.splitlines()[-_LONGEST_LOG:]
            if lines:
                found.append((f"stream {name}", "\n".join(lines)))
        if self._machine is not None and self._machine.complaints():
            found.append(("qemu", self._machine.complaints()))
        if self.transcript.panic:
            found.append(("panic", "\n".join(explain(self.transcript.panic))))
        return found

    @property
    def ended(self) -> bool:
        """QEMU is gone."""
        return self._machine is None or self._machine.closed

    def _send_frames(self, frames: Callable[[int], bytes], partition: str) -> None:
        __tracebackhide__ = True
        stream = self._wait(
            lambda: self.transcript.id_of(partition),
            f"a stream called {partition}",
            None,
        )
        assert self._machine is not None
        self._machine.write(frames(stream))
        self.pump()

    def _wait(self, find: Callable[[], T | None], what: str, timeout: float | None) -> T:
        __tracebackhide__ = True
        if self._machine is None:
            raise Unexpected("no machine was booted")
        limit = self._timeout if timeout is None else timeout
        deadline = time.monotonic() + limit
        while True:
            found = find()
            if found is not None:
                return found
            if self.ended:
                why = self.transcript.off.line if self.transcript.off else "QEMU ended"
                break
            if self.transcript.panic_ended and not self._may_panic:
                why = self.transcript.panic[0]
                break
            if time.monotonic() >= deadline:
                why = f"nothing for {limit:g} s"
                break
            self.pump(_TICK_S)
        said = self._machine.complaints()
        raise Unexpected(
            f"expected {what}, but: {why}{': ' + said if said else ''}\n{self._tails()}"
        )

    def _find_event(self, name: str, keys: Mapping[str, Value]) -> Event | None:
        for index, event in enumerate(self.transcript.events):
            if index not in self._taken and event.matches(name, **keys):
                self._taken.add(index)
                return event
        return None

    def _find_text(self, pattern: re.Pattern[str], partition: str | None) -> re.Match[str] | None:
        names = list(self.transcript.streams) if partition is None else [partition]
        for name in names:
            stream = self.transcript.streams.get(name)
            if stream is None:
                continue
            quiet = self.ended or time.monotonic() - stream.changed >= _PROMPT_QUIET_S
            end = len(stream.text) if quiet else stream.text.rfind("\n") + 1
            found = pattern.search(stream.text, self._read_to.get(name, 0), end)
            if found is not None:
                self._read_to[name] = found.end()
                return found
        return None

    def _tails(self) -> str:
        lines = []
        for name, stream in sorted(self.transcript.streams.items()):
            lines += [f"  {name} | {line}" for line in stream.text.splitlines()[-_TAIL:]]
        return "\n".join(lines) or "  (nothing)"
