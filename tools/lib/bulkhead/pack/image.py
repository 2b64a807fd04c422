# SPDX-License-Identifier: MIT
"""The image's bytes: core, boot table, payloads, manifest."""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

from bulkhead.pack.artifacts import Core
from bulkhead.pack.place import object_slots
from bulkhead.pack.plan import PAGE, Plan, align_up
from bulkhead.pack.records import encode, records

_IMAGE_SIZE_OFFSET = 16
# The file's last bytes: magic, version, crc32 of the manifest, its offset and its size.
TRAILER = struct.Struct("<8sIIQQ")
TRAILER_MAGIC = b"BHLKMAN1"
TRAILER_VERSION = 1


def table_size(plan: Plan) -> int:
    """Bytes of header and records."""
    count = sum(1 for _ in records(plan))
    return plan.abi.size("BootHeader") + count * plan.abi.size("BootRecord")


def boot_table(plan: Plan) -> bytes:
    """Header and records, checksummed."""
    body = [encode(plan, record) for record in records(plan)]
    abi, board = plan.abi, plan.system.board
    header: dict[str, Any] = {
        "magic": abi.constant("boot_magic"),
        "version": abi.constant("boot_version"),
        "size": abi.size("BootHeader") + sum(len(record) for record in body),
        "crc32": 0,
        "record_count": len(body),
        "cores": plan.system.cores,
        "objects": object_slots(plan),
        "pool_base": plan.pool_base,
        "pool_size": plan.pool_size,
        "gicd_base": board.distributor,
        "gicr_base": board.redistributors,
        "gicr_stride": board.redistributor_stride,
        "uart_base": board.devices[board.uart].address,
        "ram_base": board.ram_base,
        "ram_size": plan.system.memory_mib << 20,
    }
    records_bytes = b"".join(body)
    header["crc32"] = zlib.crc32(abi.encode("BootHeader", header) + records_bytes)
    return abi.encode("BootHeader", header) + records_bytes


def image_bytes(plan: Plan, core: Core, manifest: dict[str, Any]) -> bytes:
    """The whole file. The header's image_size covers file and pool, so that a loader puts nothing there."""
    base = plan.abi.constant("image_address")
    out = bytearray(plan.file_end - base)
    out[: len(core.data)] = core.data
    table = boot_table(plan)
    at = align_up(len(core.data))
    out[at : at + len(table)] = table
    for extent in plan.extents:
        if extent.in_file:
            at = extent.base - base
            out[at : at + len(extent.data)] = extent.data
    text = json.dumps(manifest, indent=1).encode()
    trailer = TRAILER.pack(TRAILER_MAGIC, TRAILER_VERSION, zlib.crc32(text), len(out), len(text))
    tail = text.ljust(align_up(len(text) + TRAILER.size) - TRAILER.size, b"\0") + trailer
    size = max(plan.pool_base + plan.pool_size - base, len(out) + len(tail))
    struct.pack_into("<Q", out, _IMAGE_SIZE_OFFSET, align_up(size, PAGE))
    return bytes(out + tail)
