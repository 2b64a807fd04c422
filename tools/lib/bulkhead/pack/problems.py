# SPDX-License-Identifier: MIT
"""Several mistakes reported as one error."""

from __future__ import annotations

from collections.abc import Sequence

from bulkhead.errors import UserError

_MOST = 20


class Problems(UserError):
    """All that is wrong, each with its own place; the code is the first one's."""

    def __init__(self, errors: Sequence[UserError]) -> None:
        first = errors[0]
        super().__init__(first.message, code=first.code, file=first.file, line=first.line)
        self.errors = tuple(errors)

    def render(self) -> str:
        """One message after the other."""
        texts = [error.render() for error in self.errors[:_MOST]]
        if len(self.errors) > _MOST:
            texts.append(f"... and {len(self.errors) - _MOST} more")
        return "\n".join(texts)


def raise_all(errors: Sequence[UserError]) -> None:
    """Raises what there is to raise."""
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise Problems(errors)
