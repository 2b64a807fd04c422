# SPDX-License-Identifier: MIT
"""The tables: operations with their bars, the comparison with a recorded file, sizes, scaling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from bulkhead.bench.figures import Figure, Results
from bulkhead.bench.operations import BY_NAME, OPERATIONS, Operation

TOLERANCE = 0.05  # beyond it a figure is a regression
_WIDTH = 140  # of a file or a pipe; a terminal has its own


@dataclass(frozen=True, slots=True)
class Change:
    """A figure beside the recorded one."""

    name: str
    before: float
    now: float

    @property
    def ratio(self) -> float:
        """By how much it grew: 0.05 is five per cent."""
        return self.now / self.before - 1 if self.before else float(self.now > self.before)

    @property
    def regression(self) -> bool:
        """True if it grew by more than what is tolerated."""
        return self.now > self.before * (1 + TOLERANCE)


def held(operation: Operation, figure: Figure) -> float:
    """What is held against the bar: the mean, or the maximum where the bar is on that."""
    return figure.most if operation.most and figure.most is not None else figure.mean


def changes(now: Results, before: Results) -> list[Change]:
    """Operations and sizes that both have."""
    found = [
        Change(
            one.name, held(one, before.operations[one.name]), held(one, now.operations[one.name])
        )
        for one in OPERATIONS
        if one.name in now.operations and one.name in before.operations
    ]
    sizes = sorted(now.sizes.keys() & before.sizes.keys())
    return found + [Change(name, before.sizes[name], now.sizes[name]) for name in sizes]


def misses(results: Results) -> list[str]:
    """The operations whose bar is not met."""
    return [
        one.name
        for one in OPERATIONS
        if one.bar is not None
        and one.name in results.operations
        and held(one, results.operations[one.name]) > one.bar
    ]


def failures(now: Results, before: Results | None) -> list[str]:
    """What --check fails for: beyond its bar, and a regression against the recorded figure (or not recorded)."""
    recorded = {change.name: change for change in changes(now, before)} if before else {}
    return [name for name in misses(now) if name not in recorded or recorded[name].regression]


def number(value: float | None, unit: str = "instructions") -> str:
    """A count (or ratio) as a reader wants it; an unknown one is a dash."""
    if value is None:
        return "–"
    if unit == "ratio":
        return f"{value:.4f}"
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:,.1f}"


def _bar(operation: Operation) -> str:
    then = f" (then {number(operation.then)})" if operation.then is not None else ""
    return f"{number(operation.bar, operation.unit)}{then}" if operation.bar is not None else "–"


def _verdict(operation: Operation, figure: Figure) -> str:
    if operation.bar is None:
        return ""
    return "[green]met[/]" if held(operation, figure) <= operation.bar else "[red]NOT met[/]"


def operations_table(results: Results) -> Table:
    """One row for each operation that was measured; with peers, a column for each."""
    table = Table(title=f"operations on {results.cpu}, in instructions")
    table.add_column("operation")
    for title in ("min", "mean", "max", "at EL2", "bar", *results.peers):
        table.add_column(title, justify="right")
    table.add_column("")
    for one in OPERATIONS:
        figure = results.operations.get(one.name)
        if figure is None:
            continue
        figures = [figure.least, figure.mean, figure.most, figure.el2]
        peers = [
            group[one.name].mean if one.name in group else None for group in results.peers.values()
        ]
        shown = [number(value, one.unit) for value in figures]
        row = [*shown, _bar(one), *(number(value, one.unit) for value in peers)]
        table.add_row(f"{one.title} [dim]{one.name}[/]", *row, _verdict(one, figure))
    return table


def comparison_table(found: Sequence[Change]) -> Table:
    """What changed against the recorded figures."""
    table = Table(title="against the recorded figures")
    table.add_column("figure")
    for title in ("recorded", "now", "change"):
        table.add_column(title, justify="right")
    table.add_column("")
    for change in found:
        word = "[red]regression[/]" if change.regression else ""
        percent = f"{change.ratio:+.1%}" if change.before != change.now else "same"
        table.add_row(change.name, number(change.before), number(change.now), percent, word)
    return table


def plain_table(title: str, rows: Sequence[dict[str, float]]) -> Table:
    """Rows of numbers under their names."""
    table = Table(title=title)
    for name in rows[0]:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(*(f"{row[name]:,.10g}" for name in rows[0]))
    return table


def show(results: Results, before: Results | None, console: Console | None = None) -> None:
    """Prints everything that was measured."""
    console = console or Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    if results.operations:
        console.print(operations_table(results))
    notes = [(name, figure.note) for name, figure in results.operations.items() if figure.note]
    for name, note in notes:
        console.print(f"{BY_NAME[name].title}: {note}", highlight=False)
    if results.sizes:
        table = Table("size", title="sizes")
        table.add_column("", justify="right")
        for name, value in results.sizes.items():
            table.add_row(name, f"{value:,}")
        console.print(table)
    if results.scaling:
        console.print(plain_table("by partitions in the image", results.scaling))
    if before is not None:
        console.print(comparison_table(changes(results, before)))
    missed = misses(results)
    if results.operations:
        bars = sum(1 for name in results.operations if BY_NAME[name].bar is not None)
        text = f"bulkhead: {bars - len(missed)} of {bars} bars are met"
        console.print(f"{text}; not: {', '.join(missed)}" if missed else text, highlight=False)
