# SPDX-License-Identifier: MIT
"""A QEMU process: started, its serial line as a lossless socket, its complaints kept, and never left behind."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from types import TracebackType

from bulkhead.errors import MachineError

_PR_SET_PDEATHSIG = 1
_READ = 65536
_LIBC = ctypes.CDLL(None)


def _die_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Machine:
    """Use as a context manager: leaving it kills the process. Not for several threads."""

    def __init__(self, command: Sequence[str]) -> None:
        self.command = list(command)
        self.closed = False
        self._process: subprocess.Popen[bytes] | None = None
        self._serial: socket.socket | None = None
        self._stderr = tempfile.TemporaryFile()
        self._unsent = bytearray()

    def __enter__(self) -> Machine:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Starts QEMU; a program that is not there is a MachineError."""
        ours, theirs = socket.socketpair()
        serial = [
            "-chardev",
            f"socket,id=bulkhead,fd={theirs.fileno()}",
            "-serial",
            "chardev:bulkhead",
        ]
        try:
            self._process = subprocess.Popen(
                [*self.command, *serial],
                stdin=subprocess.DEVNULL,
                stdout=self._stderr,
                stderr=self._stderr,
                pass_fds=(theirs.fileno(),),
                preexec_fn=_die_with_parent,
                process_group=0,  # the terminal's signals are ours to handle
            )
        except OSError as error:
            ours.close()
            hint = "run `tools/bulkhead setup`" if isinstance(error, FileNotFoundError) else ""
            message = f"cannot start {self.command[0]}: {error.strerror}"
            raise MachineError(message, hint=hint) from error
        finally:
            theirs.close()
        ours.setblocking(False)
        self._serial = ours

    def fileno(self) -> int:
        """The serial line's descriptor, for select."""
        assert self._serial is not None
        return self._serial.fileno()

    @property
    def unsent(self) -> int:
        """Bytes that wait because the machine does not take them yet."""
        return len(self._unsent)

    def write(self, data: bytes) -> None:
        """Queues bytes for the serial line; `read` sends them as the machine takes them."""
        self._unsent += data
        self._flush()

    def read(self, timeout: float, also: Sequence[int] = ()) -> bytes:
        """What came within `timeout` seconds; returns early for data, for input on `also`, and at the end."""
        if self._serial is None or self.closed:
            return b""
        wanting = [self._serial] if self._unsent else []
        readable, writable, _ = select.select([self._serial, *also], wanting, [], timeout)
        if writable:
            self._flush()
        if self._serial not in readable:
            return b""
        try:
            data = self._serial.recv(_READ)
        except BlockingIOError:
            return b""
        except ConnectionError:
            data = b""
        self.closed = not data
        return data

    def _flush(self) -> None:
        if self._serial is None or self.closed:
            return
        try:
            while self._unsent:
                del self._unsent[: self._serial.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self._unsent.clear()  # it has ended; `read` reports that

    def status(self, timeout: float = 0.0) -> int | None:
        """The exit status of QEMU, or None while it runs."""
        if self._process is None:
            return None
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def complaints(self) -> str:
        """What QEMU itself printed."""
        size = os.fstat(self._stderr.fileno()).st_size
        return os.pread(self._stderr.fileno(), size, 0).decode(errors="replace").strip()

    def stop(self) -> None:
        """Ends the process, if need be by force; may be called at any time and more than once."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            if self.status(timeout=2.0) is None:
                self._process.kill()
                self._process.wait()
        if self._serial is not None:
            self._serial.close()
            self._serial = None
        self.closed = True
