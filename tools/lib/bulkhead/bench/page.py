# SPDX-License-Identifier: MIT
"""The page: each operation over commits, and the newest file's curves of scaling, in one file that needs no other."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bulkhead.bench.figures import Results
from bulkhead.bench.operations import OPERATIONS, Operation
from bulkhead.bench.report import held, number
from bulkhead.errors import UserError

_STYLE = "body{font:16px sans-serif;max-width:60em;margin:2em auto}table{border-collapse:collapse}"
_STYLE += "td,th{padding:.2em .8em;text-align:right;border-bottom:1px solid #ccc}"
_STYLE += "td:first-child,th:first-child{text-align:left}figure{margin:2em 0}"
_SIZE = {"width": 900, "height": 320}


def _chart(title: str, labels: Sequence[str], lines: dict[str, list[float | None]]) -> str:
    """One plot as SVG, with no script and nothing from elsewhere."""
    import pygal

    chart = pygal.Line(
        title=title,
        range=_range(lines),
        js=[],
        disable_xml_declaration=True,
        x_label_rotation=30,
        legend_at_bottom=True,
        value_formatter=number,
        **_SIZE,
    )
    chart.x_labels = list(labels)
    for name, values in lines.items():
        chart.add(name, values)
    return str(chart.render(is_unicode=True))


def _range(lines: dict[str, list[float | None]]) -> tuple[float, float]:
    """From zero, so that a small change looks small."""
    known = [value for values in lines.values() for value in values if value is not None]
    return 0, max([*known, 1]) * 1.05


def ordered(results: Sequence[Results]) -> list[Results]:
    """By the time of their commits; a tree with changes comes after its commit."""
    return sorted(results, key=lambda one: (one.tree.time, one.tree.changed, one.tree.commit))


def label(results: Results) -> str:
    """A commit as the axis names it."""
    return results.tree.commit + ("+" if results.tree.changed else "")


def _operation(operation: Operation, results: Sequence[Results]) -> str:
    figures = [one.operations.get(operation.name) for one in results]
    if not any(figures):
        return ""
    lines: dict[str, list[float | None]] = {
        operation.name: [None if one is None else held(operation, one) for one in figures],
        "at EL2": [None if one is None else one.el2 for one in figures],
        "bar": [operation.bar for _ in results],
    }
    for peer in sorted({peer for one in results for peer in one.peers}):
        group = [one.peers.get(peer, {}).get(operation.name) for one in results]
        lines[peer] = [None if one is None else one.mean for one in group]
    kept = {name: values for name, values in lines.items() if any(v is not None for v in values)}
    others = f"<p>Others: {html.escape(operation.others)}</p>" if operation.others else ""
    plot = _chart(f"{operation.title}, {operation.unit}", [label(one) for one in results], kept)
    return f"<figure>{plot}{others}</figure>"


def _scaling(results: Results) -> str:
    rows = results.scaling
    if not rows:
        return ""
    counts = [f"{row['partitions']:g}" for row in rows]
    names = [name for name in rows[0] if name != "partitions"]
    plots = [_chart(name, counts, {name: [row.get(name) for row in rows]}) for name in names]
    return "<h2>By partitions in the image</h2>" + "".join(
        f"<figure>{plot}</figure>" for plot in plots
    )


def _sizes(results: Sequence[Results]) -> str:
    names = sorted({name for one in results for name in one.sizes})
    if not names:
        return ""
    heads = "".join(f"<th>{html.escape(label(one))}</th>" for one in results)
    rows = [
        f"<tr><td>{html.escape(name)}</td>"
        + "".join(f"<td>{number(one.sizes.get(name))}</td>" for one in results)
        + "</tr>"
        for name in names
    ]
    return f"<h2>Sizes</h2><table><tr><th></th>{heads}</tr>{''.join(rows)}</table>"


def page(results: Sequence[Results]) -> str:
    """The page's text."""
    by_commit = ordered(results)
    parts: list[Any] = [_operation(operation, by_commit) for operation in OPERATIONS]
    parts += [_sizes(by_commit), _scaling(by_commit[-1])]
    return (
        f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>Bulkhead: the benchmark</title>'
        f"<style>{_STYLE}</style><h1>Bulkhead: the benchmark</h1>"
        f"<p>Instructions, by commits from the oldest to the newest; a + is a tree with changes. "
        f"docs/benchmark.md says what each operation is.</p>{''.join(parts)}</html>\n"
    )


def write_page(results: Sequence[Results], file: Path) -> None:
    """Writes it."""
    try:
        file.write_text(page(results))
    except OSError as error:
        raise UserError(
            f"cannot write it: {error.strerror}", code="bench-file", file=file
        ) from None
