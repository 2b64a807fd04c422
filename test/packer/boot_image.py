# SPDX-License-Identifier: MIT
"""Reads a packed image back, by the ABI alone: what the core would see."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

from bulkhead.pack.layout import Abi

PAGE = 4096
Entry = tuple[str, int, int, str]  # kind, value, size, text


@dataclass(frozen=True, slots=True)
class Image:
    """A file's bytes and the boot table in it."""

    abi: Abi
    data: bytes
    header: dict[str, Any]
    records: list[tuple[str, dict[str, Any]]]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The records of a kind."""
        return [record for name, record in self.records if name == kind]

    def at(self, address: int, size: int) -> bytes:
        """Bytes by physical address."""
        start = address - self.abi.constant("image_address")
        return self.data[start : start + size]

    def partition(self, name: str) -> int:
        """A partition's object index."""
        (found,) = (one for one in self.of("partition") if one["name"] == name)
        return int(found["head"]["object"])

    def maps(self, name: str) -> dict[int, dict[str, Any]]:
        """A partition's mappings by IPA: the memory record, with `access`."""
        memories = {one["head"]["object"]: one for one in self.of("memory")}
        owner = self.partition(name)
        return {
            one["ipa"]: {**memories[one["head"]["object"]], "access": one["head"]["flags"]}
            for one in self.of("map")
            if one["partition"] == owner
        }

    def capabilities(self, name: str) -> dict[int, dict[str, Any]]:
        """A partition's capabilities by slot."""
        owner = self.partition(name)
        return {one["slot"]: one for one in self.of("capability") if one["partition"] == owner}

    def environment(self, name: str) -> dict[str, Entry]:
        """A native partition's environment."""
        memory = self.maps(name)[0x6000_0000]
        data = self.at(memory["base"], memory["size"])
        header = self.abi.decode("EnvironmentHeader", data)
        assert header["magic"] == self.abi.constant("environment_magic")
        assert header["size"] == memory["size"]
        kinds = {value: key for key, value in self.abi.enums["EntryKind"].items()}
        entries: dict[str, Entry] = {}
        for index in range(header["count"]):
            entry = self.abi.decode("EnvironmentEntry", data, 64 + 64 * index)
            kind, value, size = kinds[entry["kind"]], entry["value"], entry["size"]
            text = data[value : value + size].decode() if kind == "string" else ""
            entries[entry["name"]] = (kind, value, size, text)
        assert list(entries) == sorted(entries)
        return entries


def parse_image(abi: Abi, data: bytes, core_size: int) -> Image:
    """Header, checksum, records."""
    table = data[-(-core_size // PAGE) * PAGE :]
    header = abi.decode("BootHeader", table)
    assert header["magic"] == abi.constant("boot_magic")
    size, offset = header["size"], _offset(abi, "crc32")
    blank = bytearray(table[:size])
    struct.pack_into("<I", blank, offset, 0)
    assert zlib.crc32(blank) == header["crc32"]
    kinds = {value: key for key, value in abi.enums["RecordType"].items()}
    start, step = abi.size("BootHeader"), abi.size("BootRecord")
    records = []
    for index in range(header["record_count"]):
        at = start + index * step
        kind = kinds[abi.decode("RecordHead", table, at)["type"]]
        records.append((kind, abi.decode(f"Boot{kind.capitalize()}", table, at)))
    assert size == start + len(records) * step
    return Image(abi, data, header, records)


def _offset(abi: Abi, name: str) -> int:
    return next(one.offset for one in abi.structs["BootHeader"].fields if one.name == name)
