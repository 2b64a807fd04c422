# SPDX-License-Identifier: MIT
"""The initramfs that is made from a list: what Debian's own cpio reads out of it, and the mistakes in a list."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from bulkhead.errors import UserError
from bulkhead.pack import plan_system
from bulkhead.pack.initramfs import initramfs

LIST = """# all kinds
dir /bin 755 0 0
file /bin/one files/one 4755 1 2   # setuid
slink /bin/two one 777 0 0
nod /dev/console 600 0 0 c 5 1
"""
VM = '[vm.guest]\nram_mib = 16\nuart = false\ngic = false\ntimer = false\nimage = "@guest"\ninitrd = "a.list"\n'


def unpack(archive: bytes) -> dict[str, tuple[list[int], bytes]]:
    """Each member's header fields and data, as Documentation/driver-api/early-userspace/buffer-format.rst says."""
    at, found = 0, {}
    while True:
        assert archive[at : at + 6] == b"070701" and at % 4 == 0
        fields = [int(archive[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        name = archive[at + 110 : at + 110 + fields[11] - 1].decode()
        start = (at + 110 + fields[11] + 3) & ~3
        if name == "TRAILER!!!":
            return found
        found[name] = (fields, archive[start : start + fields[6]])
        at = (start + fields[6] + 3) & ~3


def test_every_kind_of_entry_is_in_the_archive() -> None:
    """With mode, owner, device and content."""
    members = unpack(initramfs(Path("a.list"), LIST, lambda location, line: location.encode()))
    assert list(members) == ["bin", "bin/one", "bin/two", "dev/console"]
    fields, data = members["bin/one"]
    assert (fields[1:4], data) == ([stat.S_IFREG | 0o4755, 1, 2], b"files/one")
    assert members["bin"][0][1] == stat.S_IFDIR | 0o755
    assert members["bin/two"] == (members["bin/two"][0], b"one")
    assert members["bin/two"][0][1] == stat.S_IFLNK | 0o777
    fields, _ = members["dev/console"]
    assert (fields[1], fields[9:11]) == (stat.S_IFCHR | 0o600, [5, 1])
    numbers = [fields[0] for fields, _ in members.values()]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize(
    ("line", "code", "message"),
    [
        ("dir /bin", "E048", "'dir /bin' is no entry of an initramfs"),
        ("dir /bin 999 0 0", "E048", "'dir /bin 999 0 0' is no entry of an initramfs"),
        ("dir /bin 755 -1 0", "E048", "is no entry of an initramfs"),
        ("dir / 755 0 0", "E048", "is no entry of an initramfs"),
        ("nod /dev/x 600 0 0 p 0 0", "E048", "is no entry of an initramfs"),
        ("link /a /b", "E048", "'link /a /b' is no entry of an initramfs"),
        ("file /a nothing 644 0 0", "E007", "there is no file 'nothing'"),
        ("file /a @nothing 644 0 0", "E007", "Bulkhead's build has no file '@nothing'"),
    ],
)
def test_a_mistake_in_a_list_is_named_with_its_line(
    line: str, code: str, message: str, write: Callable[[str], Path], build: Path, tmp_path: Path
) -> None:
    """Not that of the description, which is the second place where it helps."""
    (tmp_path / "a.list").write_text("# first\n" + line + "\n")
    with pytest.raises(UserError) as caught:
        plan_system(write(VM), build=build)
    error = caught.value
    assert (error.code, error.file, error.line) == (code, tmp_path / "a.list", 2)
    assert message in error.message


def test_files_are_relative_to_the_list(
    write: Callable[[str], Path], build: Path, tmp_path: Path
) -> None:
    """Wherever the description is; and the archive lies where an initrd lies."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.list").write_text("file /init run 755 0 0\n")
    (tmp_path / "sub" / "run").write_bytes(b"#!/bin/sh")
    file = write(VM.replace("a.list", "sub/a.list"))
    _, plan, _ = plan_system(file, build=build)
    ram = next(extent for extent in plan.extents if extent.name == "guest.ram")
    assert unpack(ram.data[14 << 20 :])["init"][1] == b"#!/bin/sh"
