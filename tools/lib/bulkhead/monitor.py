# SPDX-License-Identifier: MIT
"""QEMU's machine protocol (QMP): what no program inside of the machine can change."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any, Protocol

from bulkhead.errors import MachineError

_ANSWER_S = 60


def arguments(path: Path) -> list[str]:
    """QEMU's arguments for a Monitor at `path`."""
    return ["-qmp", f"unix:{path},server=on,wait=off"]


class Pumped(Protocol):
    """A machine whose serial line is read for so many seconds."""

    def pump(self, timeout: float) -> None:
        ...


class Monitor:
    """A connection to a machine that runs; `pump` goes on meanwhile, since QEMU waits for who reads its serial line."""

    def __init__(self, machine: Pumped, path: Path) -> None:
        self._machine = machine
        self._received = b""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._socket.setblocking(False)
        self._receive()
        self.execute("qmp_capabilities")

    def close(self) -> None:
        """Ends the connection, not the machine."""
        self._socket.close()

    def _receive(self) -> dict[str, Any]:
        deadline = time.monotonic() + _ANSWER_S
        while b"\n" not in self._received:
            if time.monotonic() >= deadline:
                raise MachineError("QEMU's monitor does not answer")
            self._machine.pump(0.01)
            try:
                self._received += self._socket.recv(65536)
            except BlockingIOError:
                pass
        line, self._received = self._received.split(b"\n", 1)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def execute(self, command: str, **arguments: Any) -> Any:
        """A command's answer; events are passed over."""
        self._socket.send(json.dumps({"execute": command, "arguments": arguments}).encode())
        while True:
            answer = self._receive()
            if "event" not in answer:
                return answer["return"]

    def instructions(self) -> int:
        """Executed so far, under icount; time that was leapt over is not among them."""
        return int(self.execute("query-replay")["icount"])

    def wait_for_shutdown(self, timeout: float) -> None:
        """Of a machine started with -no-shutdown."""
        deadline = time.monotonic() + timeout
        while self.execute("query-status")["status"] != "shutdown":
            if time.monotonic() >= deadline:
                raise MachineError("the machine does not power off")
            self._machine.pump(0.1)
