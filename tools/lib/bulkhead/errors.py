# SPDX-License-Identifier: MIT
"""A user's mistake: what is wrong, where, and how to mend it; every command ends with it as exit status 2."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """A second place that a message speaks of."""

    file: Path
    line: int | None
    note: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line is not None else str(self.file)
        return f"{where}: {self.note}" if self.note else where


class UserError(Exception):
    """One clear message; `code` is stable, `line` counts from 1."""

    status = 2

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        file: Path | None = None,
        line: int | None = None,
        hint: str = "",
        also: Sequence[Place] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.file = file
        self.line = line
        self.hint = hint
        self.also = tuple(also)

    def render(self) -> str:
        """The message as the user reads it, without a newline at its end."""
        label = f"error[{self.code}]" if self.code else "error"
        where = f"{Place(self.file, self.line)}: " if self.file is not None else ""
        lines = [f"{where}{label}: {self.message}"]
        lines += [f"  see also {place}" for place in self.also]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)

    def __str__(self) -> str:
        return self.render()


class MachineError(UserError):
    """QEMU could not be started or died: exit status 3."""

    status = 3
