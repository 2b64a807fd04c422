# SPDX-License-Identifier: MIT
"""`bulkhead inspect`: an image's manifest as tables, its hashes verified against its bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bulkhead.errors import UserError
from bulkhead.pack.manifest import read_manifest
from bulkhead.pack.place import size_text

Report = dict[str, Any]
Row = tuple[object, ...]


def inspect_image(image: Path) -> Report:
    """The manifest, with the names of the payloads whose bytes are not what was packed (`damaged`)."""
    manifest, data = read_manifest(image)
    try:
        base = next(part["base"] for part in manifest["memory"] if part["kind"] == "core")
        damaged = []
        for payload in manifest["payloads"]:
            start = payload["base"] - base
            part = data[start : start + payload["size"]]
            if hashlib.sha256(part).hexdigest() != payload["sha256"]:
                damaged.append(payload["name"])
    except (KeyError, TypeError, StopIteration):
        raise UserError("its manifest is damaged", code="E702", file=image) from None
    return {**manifest, "image": str(image), "damaged": damaged}


def show_image(report: Report, console: Console | None = None) -> None:
    """Prints all of it."""
    console = console or Console(highlight=False)
    if not console.is_terminal:
        console.width = 200
    console.print(
        f"{report['system']} for {report['board']}: {report['cores']} cores, "
        f"{report['memory_mib']} MiB, streams {', '.join(report['streams'])}"
    )
    _memory(report, console)
    for partition in report["partitions"]:
        _partition(partition, console)
    rows: list[Row] = [
        (one["name"], one["intid"], one["core"], "edge" if one["edge"] else "level", _bound(one))
        for one in report["interrupts"]
    ]
    _table(console, "interrupts", ("name", "INTID", "core", "trigger", "bound to"), rows)
    rows = [
        (one["name"], size_text(one["size"]), _state(report, one), one["sha256"])
        for one in report["payloads"]
    ]
    _table(console, "payloads", ("name", "size", "", "SHA-256"), rows)


def _memory(report: Report, console: Console) -> None:
    rows = [
        (f"{one['base']:#x}", f"{one['base'] + one['size'] - 1:#x}", size_text(one["size"]))
        + (one["kind"], one["name"])
        for one in report["memory"]
    ]
    _table(console, "memory", ("first", "last", "size", "kind", "name"), rows)


def _partition(partition: Report, console: Console) -> None:
    cores = ", ".join(map(str, partition["cores"]))
    budget = ""
    if partition["budget_us"]:
        budget = f", {partition['budget_us']} us in {partition['period_us']} us"
    trusted = ", trusted (it owns a DMA device)" if partition["trusted"] else ""
    console.print(
        f"\n[bold]{partition['name']}[/] ({partition['kind']}, VMID {partition['vmid']}, "
        f"cores {cores}, priority {partition['priority']}{budget}, "
        f"on a fault: {partition['policy']}{trusted}{_confined(partition)})"
    )
    rows: list[Row] = [
        (f"{one['ipa']:#x}", size_text(one["size"]), one["access"], f"{one['base']:#x}")
        + (one["memory"],)
        for one in partition["maps"]
    ]
    rows += [
        (f"{one['ipa']:#x}", size_text(one["size"]), "trap", one["endpoint"])
        + (f"{one['name']}, badge {one['badge']}",)
        for one in partition["devices"]
    ]
    _table(
        console, "address space", ("IPA", "size", "access", "PA", "what"), sorted(rows, key=_ipa)
    )
    rows = [(one["trap"], one["endpoint"], one["badge"]) for one in partition["traps"]]
    _table(console, "traps", ("trap", "to", "badge"), rows)
    rows = [
        (one["slot"], one["name"], one["object"], " ".join(one["rights"]), f"{one['badge']:#x}")
        for one in partition["capabilities"]
    ]
    _table(console, "capabilities", ("handle", "name", "object", "rights", "badge"), rows)


def _confined(partition: Report) -> str:
    if partition["kind"] == "vm":
        return ""
    if partition["confined"]:
        return ", confined"
    return escape(f", not confined: {partition['unconfined_because']}")


def _ipa(row: Row) -> int:
    return int(str(row[0]), 16)


def _bound(interrupt: Report) -> str:
    if interrupt["bound_to"] is None:
        return "-"
    return f"{interrupt['bound_to']} signal {interrupt['signal']}"


def _state(report: Report, payload: Report) -> str:
    return "[red]DAMAGED[/]" if payload["name"] in report["damaged"] else "ok"


def _table(console: Console, title: str, columns: Iterable[str], rows: Iterable[Row]) -> None:
    rows = list(rows)
    if not rows:
        return
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    console.print(table)
