# SPDX-License-Identifier: MIT
"""An initramfs from a list of its files, as Linux's usr/gen_init_cpio takes it: the same list gives the same bytes."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bulkhead.errors import UserError

_CODE = "E048"
_FORMS = {
    "dir": "dir NAME MODE UID GID",
    "file": "file NAME LOCATION MODE UID GID",
    "slink": "slink NAME TARGET MODE UID GID",
    "nod": "nod NAME MODE UID GID c|b MAJOR MINOR",
}
_LARGEST = 1 << 30


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    mode: int
    owner: tuple[int, int] = (0, 0)
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


def initramfs(listing: Path, text: str, read: Callable[[str, int], bytes]) -> bytes:
    """A cpio archive ("newc") of what `text` lists; `read(location, line)` gives a file's bytes."""
    out = bytearray()
    entries = list(_entries(listing, text, read))
    for number, entry in enumerate([*entries, _Entry("TRAILER!!!", 0)], start=1):
        name = entry.name.encode() + b"\0"
        links = 2 if stat.S_ISDIR(entry.mode) else 1
        header = [number, entry.mode, *entry.owner, links, 0, len(entry.data)]
        fields = [*header, 0, 0, *entry.device, len(name), 0]
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + name
        out += bytes(-len(out) % 4) + entry.data
        out += bytes(-len(out) % 4)
        if len(out) > _LARGEST:
            raise UserError("more than 1 GiB", code="E045", file=listing)
    return bytes(out)


def _entries(listing: Path, text: str, read: Callable[[str, int], bytes]) -> Iterator[_Entry]:
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        kind, *values = words
        try:
            yield _entry(kind, values, lambda location: read(location, number))
        except (ValueError, KeyError):
            forms = "; ".join([_FORMS[kind]] if kind in _FORMS else _FORMS.values())
            message = f"'{line.strip()[:200]}' is no entry of an initramfs"
            hint = f"{forms} (MODE is octal)"
            raise UserError(message, code=_CODE, file=listing, line=number, hint=hint) from None


def _entry(kind: str, values: list[str], read: Callable[[str], bytes]) -> _Entry:
    """One line; ValueError or KeyError if it is none."""
    content, device = b"", (0, 0)
    if kind == "nod":
        name, mode, uid, gid, type_, major, minor = values
        form = {"c": stat.S_IFCHR, "b": stat.S_IFBLK}[type_]
        device = (_number(major), _number(minor))
    elif kind == "dir":
        name, mode, uid, gid = values
        form = stat.S_IFDIR
    else:
        form = {"file": stat.S_IFREG, "slink": stat.S_IFLNK}[kind]
        name, target, mode, uid, gid = values
    bits, owner = _number(mode, 8), (_number(uid), _number(gid))
    if bits > 0o7777 or not name.strip("/"):
        raise ValueError
    if kind == "file":
        content = read(target)
    elif kind == "slink":
        content = target.encode()
    return _Entry(name.strip("/"), form | bits, owner, content, device)


def _number(text: str, base: int = 10) -> int:
    value = int(text, base)
    if not 0 <= value < 1 << 32:
        raise ValueError
    return value
