# SPDX-License-Identifier: MIT
"""What an image says of itself to the tools: names, memory map, capabilities, hashes. Written by pack, read by inspect."""

from __future__ import annotations

import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

from bulkhead.errors import UserError
from bulkhead.pack.artifacts import Core
from bulkhead.pack.image import TRAILER, TRAILER_MAGIC, TRAILER_VERSION
from bulkhead.pack.plan import Partition, Plan, align_up
from bulkhead.paths import CHECKOUT


def make_manifest(plan: Plan, core: Core) -> dict[str, Any]:
    """The manifest of a placed plan. Addresses are physical unless called `ipa`."""
    system, board = plan.system, plan.system.board
    return {
        "system": system.name,
        "description": _shown(system.source.file),
        "board": board.name,
        "cores": system.cores,
        "memory_mib": system.memory_mib,
        "qemu": list(board.qemu),
        "default_cpu": board.default_cpu,
        "streams": plan.streams,
        "memory": _memory(plan, core),
        "partitions": [_partition(plan, partition) for partition in plan.partitions.values()],
        "interrupts": [
            {
                "name": name,
                "intid": interrupt.intid,
                "core": interrupt.core,
                "edge": interrupt.edge,
                "bound_to": interrupt.target.name if interrupt.target else None,
                "signal": interrupt.signal if interrupt.target else None,
            }
            for name, interrupt in plan.interrupts.items()
        ],
        "payloads": _payloads(plan, core),
        "objects": {str(entry.index): entry.name for entry in plan.objects},
    }


def _shown(file: Path) -> str:
    """A file's name without where the checkout or the user's project happens to lie."""
    if file.is_relative_to(CHECKOUT):
        return str(file.relative_to(CHECKOUT))
    return file.name


def _memory(plan: Plan, core: Core) -> list[dict[str, Any]]:
    base = plan.abi.constant("image_address")
    table = base + align_up(len(core.data))
    first = min((one.base for one in plan.extents if one.in_file), default=plan.file_end)
    found = [
        {"name": "core", "kind": "core", "base": base, "size": align_up(len(core.data))},
        {"name": "boot table", "kind": "table", "base": table, "size": first - table},
        {"name": "pool", "kind": "pool", "base": plan.pool_base, "size": plan.pool_size},
    ]
    found += [
        {"name": one.name, "kind": one.kind, "base": one.base, "size": one.size}
        for one in plan.extents
    ]
    return sorted(found, key=lambda one: int(str(one["base"])))


def _partition(plan: Plan, partition: Partition) -> dict[str, Any]:
    schedule = partition.schedule
    native, vm = partition.native, partition.vm
    names = {
        entry.value: name
        for name, entry in sorted(partition.entries.by_name.items(), reverse=True)
        if entry.kind == "handle"
    }
    described = native or vm
    assert described is not None
    return {
        "name": partition.name,
        "kind": "native" if native else "vm",
        "role": native.role if native else None,
        "trusted": described.trusted,
        "confined": partition.confined if native else None,
        "unconfined_because": partition.unconfined_because,
        "policy": described.policy if partition.supervisor else "end",
        "restarts": described.restarts,
        "vmid": partition.vmid,
        "object": partition.object.index,
        "cores": list(schedule.cores),
        "priority": schedule.priority,
        "budget_us": schedule.budget_us,
        "period_us": schedule.period_us,
        "table_pages": partition.table_pages,
        "maps": [
            {
                "ipa": one.ipa,
                "base": one.memory.physical,
                "size": one.memory.size,
                "access": one.access,
                "memory": one.memory.object.name,
            }
            for one in sorted(partition.mappings, key=lambda one: one.ipa)
        ],
        "devices": [
            {
                "name": one.name,
                "ipa": one.ipa,
                "size": one.size,
                "endpoint": one.endpoint.name,
                "badge": one.badge,
            }
            for one in partition.pages
        ],
        "traps": [
            {"trap": trap, "endpoint": endpoint.name, "badge": badge}
            for trap, endpoint, badge in partition.traps
        ],
        "capabilities": [
            {
                "slot": one.slot,
                "name": names.get(one.slot, ""),
                "object": one.object.name,
                "rights": list(one.rights),
                "badge": one.badge,
            }
            for one in partition.capabilities
        ],
        "environment": {
            name: entry.text if entry.kind == "string" else entry.value
            for name, entry in sorted(partition.entries.by_name.items())
            if entry.kind != "handle"
        },
        "signals": {str(bit): what for bit, what in sorted(partition.signals.items())},
    }


def _payloads(plan: Plan, core: Core) -> list[dict[str, Any]]:
    base = plan.abi.constant("image_address")
    found = [
        {
            "name": one.name,
            "file": _shown(Path(one.origin)) if one.origin else "",
            "base": one.base,
            "size": len(one.data),
            "sha256": hashlib.sha256(one.data).hexdigest(),
        }
        for one in plan.extents
        if one.in_file and one.data
    ]
    tail = core.data[64:]  # the Image header before it gets its size here
    digest = hashlib.sha256(tail).hexdigest()
    first = {"name": "core", "file": _shown(core.file), "base": base + 64, "size": len(tail)}
    return [{**first, "sha256": digest}, *found]


def read_manifest(image: Path) -> tuple[dict[str, Any], bytes]:
    """The manifest of an image file, and the file's bytes."""
    try:
        data = image.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read it: {error.strerror}", code="E007", file=image) from None

    def refuse(message: str) -> UserError:
        hint = "make an image with `bulkhead pack SYSTEM -o IMAGE`"
        return UserError(message, code="E702", file=image, hint=hint)

    if len(data) < TRAILER.size or data[-TRAILER.size :][:8] != TRAILER_MAGIC:
        raise refuse("not an image that Bulkhead's packer made: it has no manifest at its end")
    _, version, crc, offset, size = TRAILER.unpack(data[-TRAILER.size :])
    if version != TRAILER_VERSION:
        raise refuse(f"its manifest has version {version}, this tool reads {TRAILER_VERSION}")
    if offset > len(data) or size > len(data) - offset:
        raise refuse("its manifest is cut off")
    text = data[offset : offset + size]
    if zlib.crc32(text) != crc:
        raise refuse("its manifest is damaged (checksum)")
    try:
        return dict(json.loads(text)), data
    except (ValueError, RecursionError):
        raise refuse("its manifest is damaged") from None
