# SPDX-License-Identifier: MIT
"""A native partition's environment (docs/environment.md): entries collected by name, and their bytes."""

from __future__ import annotations

from dataclasses import dataclass, field

from bulkhead.errors import UserError
from bulkhead.pack.layout import Abi


@dataclass(frozen=True, slots=True)
class Entry:
    """One name; `text` only for strings."""

    kind: str
    value: int
    size: int = 0
    text: str = ""
    checksum: int = 0


@dataclass(slots=True)
class Entries:
    """The entries of one environment."""

    by_name: dict[str, Entry] = field(default_factory=dict)

    def handle(self, name: str, slot: int, type_: int) -> None:
        """A capability; two names for one thing are fine, two things of one name are not."""
        self._add(name, Entry("handle", slot, type_))

    def region(self, name: str, ipa: int, size: int, checksum: int = 0) -> None:
        """Mapped memory; size 0 means that there is none. `checksum`: of contents that its user checks."""
        self._add(name, Entry("region", ipa, size, checksum=checksum))

    def number(self, name: str, value: int) -> None:
        """A property."""
        self._add(name, Entry("property", value & (1 << 64) - 1))

    def string(self, name: str, text: str) -> None:
        """A text."""
        self._add(name, Entry("string", 0, len(text.encode()), text))

    def _add(self, name: str, entry: Entry) -> None:
        if name in self.by_name:
            raise UserError(f"the environment would have '{name}' twice", code="E006")
        self.by_name[name] = entry


def encode_environment(abi: Abi, entries: Entries, page: int) -> bytes:
    """The pages: header, entries sorted by name, texts."""
    texts = bytearray()
    start = abi.size("EnvironmentHeader") + abi.size("EnvironmentEntry") * len(entries.by_name)
    body = bytearray()
    for name, entry in sorted(entries.by_name.items(), key=lambda item: item[0].encode()):
        value = entry.value
        if entry.kind == "string":
            value = start + len(texts)
            texts += entry.text.encode() + b"\0"
        kind = abi.value("EntryKind", entry.kind)
        fields = {"name": name, "kind": kind, "value": value, "size": entry.size}
        fields["checksum"] = entry.checksum
        body += abi.encode("EnvironmentEntry", fields)
    size = -(-(start + len(texts)) // page) * page
    header = abi.encode(
        "EnvironmentHeader",
        {
            "magic": abi.constant("environment_magic"),
            "version": abi.constant("abi_version"),
            "count": len(entries.by_name),
            "size": size,
        },
    )
    return bytes(header + body + texts).ljust(size, b"\0")
