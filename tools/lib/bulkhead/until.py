# SPDX-License-Identifier: MIT
"""The patterns of `run --until`: a regular expression over one partition's text, or over all of them."""

from __future__ import annotations

import re
from collections.abc import Collection

from bulkhead.errors import UserError
from bulkhead.streams import Stream

_PREFIXED = re.compile(r"(?P<partition>[A-Za-z][\w.-]*):(?P<rest>.+)", re.DOTALL)
PROMPT_QUIET_S = 0.15


class Until:
    """One pattern; `matched` once it has been seen in a complete line or in a prompt."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.matched = False
        prefixed = _PREFIXED.fullmatch(text)
        self.partition = prefixed["partition"] if prefixed else None
        self._pattern = _compile(text, prefixed["rest"] if prefixed else text)

    def check(self, known: Collection[str]) -> None:
        """A prefix that is no partition's name is a mistake; `known` is empty if the names are not known."""
        if self.partition is None or not known or self.partition in known:
            return
        raise UserError(
            f"--until '{self.text}': there is no partition '{self.partition}'",
            code="until",
            hint=f"there are {', '.join(known)}; if it is part of the expression, write '{self.partition}\\:'",
        )

    def see(self, stream: str, line: str) -> None:
        """Looks at a line of `stream`."""
        if self.partition in (None, stream) and self._pattern.search(line):
            self.matched = True

    def see_prompt(self, stream: Stream, now: float) -> None:
        """Looks at a line without an end, once the stream has been quiet."""
        if stream.partial and now - stream.changed >= PROMPT_QUIET_S:
            self.see(stream.name, stream.partial)


def _compile(text: str, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise UserError(
            f"--until '{text}' is no regular expression: {error}", code="until"
        ) from None
