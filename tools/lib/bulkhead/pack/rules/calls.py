# SPDX-License-Identifier: MIT
"""Rules of calls: nobody can come to wait for itself."""

from __future__ import annotations

from collections.abc import Iterator

from bulkhead.errors import UserError
from bulkhead.pack.description import System
from bulkhead.pack.rules.graph import Edge, call_edges, trap_edges

MOST = 8  # cycles to report


def check(system: System) -> Iterator[UserError]:
    """Every cycle of calls is reported once, at its first call. VMs call, but nobody calls a VM."""
    edges: dict[str, list[Edge]] = {}
    for edge in call_edges(system):
        edges.setdefault(edge.client, []).append(edge)
    done: set[str] = set()
    found = 0
    for start in edges:
        cycle = _cycle(edges, start, done)
        if cycle and found < MOST:
            found += 1
            yield _report(system, cycle)


def _cycle(edges: dict[str, list[Edge]], start: str, done: set[str]) -> list[Edge]:
    """A cycle that is reached from `start`, by depth-first search without recursion."""
    trail: list[Edge] = []
    stack = [iter(edges.get(start, []))] if start not in done else []
    names = [start]
    while stack:
        edge = next(stack[-1], None)
        if edge is None:
            stack.pop()
            done.add(names.pop())
            trail = trail[:-1]
        elif edge.server in names:
            done.update(names)
            return [*trail, edge][names.index(edge.server) :]
        elif edge.server not in done:
            trail.append(edge)
            names.append(edge.server)
            stack.append(iter(edges.get(edge.server, [])))
    return []


def _report(system: System, cycle: list[Edge]) -> UserError:
    way = " -> ".join(f"'{edge.client}'" for edge in cycle) + f" -> '{cycle[0].client}'"
    places = [
        system.source.place(edge.path, f"'{edge.client}' calls '{edge.server}': {edge.why}")
        for edge in cycle[1:]
    ]
    hint = "let one of them notify instead of call, and fetch what it is told"
    message = f"calls that could deadlock: {way}"
    return system.source.error("E013", message, cycle[0].path, hint, *places)


def longest_chain(system: System) -> list[str]:
    """The longest way of calls, callers first; the description has no cycle."""
    edges: dict[str, set[str]] = {}
    for edge in (*call_edges(system), *trap_edges(system)):
        edges.setdefault(edge.client, set()).add(edge.server)
    best: dict[str, list[str]] = {}
    pending = sorted(edges)
    while pending:
        name = pending[-1]
        missing = [server for server in sorted(edges.get(name, ())) if server not in best]
        if missing:
            pending += missing
            continue
        pending.pop()
        tails = [best[server] for server in edges.get(name, ())]
        best[name] = [name, *max(tails, key=len, default=[])]
    return max(best.values(), key=len, default=[])
