# SPDX-License-Identifier: MIT
"""Rules of names: each stands for one thing."""

from __future__ import annotations

from collections.abc import Iterator

from bulkhead.errors import UserError
from bulkhead.pack.description import System
from bulkhead.pack.source import Path_

_TAKEN = {"core": "the core's own stream", "machine": "the log's", "self": "a partition itself"}


def check(system: System) -> Iterator[UserError]:
    """Partitions of all kinds share one name space; devices may not hide the board's."""
    source = system.source
    seen: dict[str, Path_] = {}
    for partition in system.partitions:
        name, path = partition.name, partition.path
        if name in _TAKEN:
            yield source.error("E006", f"the name '{name}' is {_TAKEN[name]}", path, "rename it")
        if name in seen:
            other = source.place(seen[name], "the other one")
            message = f"there are two partitions '{name}'"
            yield source.error("E006", message, path, "rename one of them", other)
        seen.setdefault(name, path)
    board = system.board.source
    for name in source.data.get("device", {}):
        if name in board.data.get("device", {}):
            other = board.place(("device", name), "the board's")
            message = f"the board has a device '{name}' already"
            yield source.error("E006", message, ("device", name), "rename yours", other)
    yield from _grants(system)


def _grants(system: System) -> Iterator[UserError]:
    for native in system.natives:
        seen: dict[tuple[str, str], Path_] = {}
        for grant in native.grants:
            key = (grant.kind, grant.target)
            if grant.kind and key in seen:
                message = f"'{native.name}' is granted the {grant.kind} '{grant.target}' twice"
                other = system.source.place(seen[key], "the first time")
                hint = "put all rights into one grant"
                yield system.source.error("E006", message, grant.path, hint, other)
            seen.setdefault(key, grant.path)
