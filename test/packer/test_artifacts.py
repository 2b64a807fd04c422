# SPDX-License-Identifier: MIT
"""Programs, guest images and cores that are not what they should be."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pytest

from bulkhead.errors import UserError
from bulkhead.pack import plan_system
from bulkhead.pack.artifacts import read_core
from conftest import guest_image

BASE = 0x4020_0000
VM = '[vm.guest]\nram_mib = 16\nuart = false\ngic = false\ntimer = false\nimage = "guest.img"\n'
# Offsets in the 64-byte ELF header and in the 56-byte program headers behind it.
E_TYPE, E_MACHINE, E_ENTRY, E_PHNUM = 16, 18, 24, 56
P_TYPE, P_FLAGS, P_VADDR, P_MEMSZ = 64, 68, 80, 104


def complaint(file: Path, build: Path) -> UserError:
    """What the packer says of a description."""
    with pytest.raises(UserError) as caught:
        plan_system(file, build=build)
    return caught.value


@pytest.mark.parametrize(
    ("patches", "code", "message"),
    [
        (
            [(0, "<I", 0)],
            "E040",
            "not an ELF file, or a damaged one (Magic number does not match)",
        ),
        ([(E_MACHINE, "<H", 62)], "E040", "not a little-endian AArch64 program"),
        ([(E_TYPE, "<H", 3)], "E040", "not a static executable"),
        ([(E_PHNUM, "<H", 0)], "E040", "has nothing to load"),
        ([(E_PHNUM, "<H", 1000)], "E040", "more than 64 segments"),
        ([(P_TYPE, "<I", 2)], "E040", "needs a dynamic loader or thread-local storage"),
        (
            [(P_FLAGS, "<I", 7)],
            "E041",
            "the segment at 0x10000 is writable and executable",
        ),
        ([(P_FLAGS, "<I", 1)], "E041", "the segment at 0x10000 is not readable"),
        (
            [(P_VADDR, "<Q", 0x10010)],
            "E042",
            "the segment at 0x10010 does not begin on a page",
        ),
        (
            [(P_VADDR, "<Q", 0x12000)],
            "E042",
            "the segment at 0x12000 shares a page with the one before it",
        ),
        (
            [(P_VADDR, "<Q", 0x5FFF_F000), (P_MEMSZ, "<Q", 8192)],
            "E042",
            "ends at 0x60001000; 0x60000000 and up is the environment's",
        ),
        ([(P_MEMSZ, "<Q", 1 << 40)], "E040", "more than 64 MiB"),
        (
            [(P_MEMSZ, "<Q", 1)],
            "E040",
            "the segment at 0x10000 has more bytes than memory",
        ),
        (
            [(E_ENTRY, "<Q", 0x11000)],
            "E040",
            "its entry 0x11000 is not in an executable segment",
        ),
    ],
)
def test_a_bad_program_is_refused(
    patches: list[tuple[int, str, int]],
    code: str,
    message: str,
    write: Callable[[str], Path],
    build: Path,
    tmp_path: Path,
) -> None:
    """With the file's name and the line that names it."""
    data = bytearray((build / "native.elf").read_bytes())
    for offset, layout, value in patches:
        struct.pack_into(layout, data, offset, value)
    (tmp_path / "bad.elf").write_bytes(data)
    file = write('[partition.probe]\nprogram = "bad.elf"\n')
    error = complaint(file, build)
    assert (error.code, error.message) == (code, f"{tmp_path}/bad.elf: {message}")
    assert error.line == 4


@hypothesis.given(data=st.data())
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_no_damaged_program_crashes_the_packer(
    data: st.DataObject, write: Callable[[str], Path], build: Path, tmp_path: Path
) -> None:
    """Bytes of headers replaced at random, or the end cut off."""
    program = bytearray((build / "native.elf").read_bytes())
    places = st.integers(0, 64 + 3 * 56) | st.integers(len(program) - 600, len(program) - 1)
    for offset, value in data.draw(
        st.dictionaries(places, st.integers(0, 255), max_size=8)
    ).items():
        program[offset] = value
    (tmp_path / "bad.elf").write_bytes(program[: data.draw(st.integers(0, len(program)))])
    file = write('[partition.probe]\nprogram = "bad.elf"\n')
    try:
        plan_system(file, build=build)
    except UserError as error:
        assert error.code.startswith("E04")


def test_a_gzipped_image_is_unpacked(
    write: Callable[[str], Path], build: Path, tmp_path: Path
) -> None:
    """As Linux comes."""
    (tmp_path / "guest.img").write_bytes(gzip.compress(guest_image()))
    _, plan, _ = plan_system(write(VM), build=build)
    ram = next(extent for extent in plan.extents if extent.name == "guest.ram")
    assert ram.data[0x20_0000:] == guest_image()


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        (
            gzip.compress(guest_image(), mtime=0)[:-9],
            "E045",
            "damaged gzip file (it ends too early",
        ),
        (b"\x1f\x8b" + bytes(100), "E045", "damaged gzip file"),
        (b"", "E043", "is empty"),
        (b"\x7fELF" + bytes(100), "E043", "is not an arm64 Image"),
        (guest_image(text_offset=4 << 20), "E043", "has a damaged Image header"),
        (
            guest_image(size=64 << 20),
            "E044",
            "'guest.kernel' (64 MiB at 0x40200000) does not fit",
        ),
    ],
)
def test_a_bad_image_is_refused(
    data: bytes,
    code: str,
    message: str,
    write: Callable[[str], Path],
    build: Path,
    tmp_path: Path,
) -> None:
    """Truncated, empty, of another kind, too large."""
    (tmp_path / "guest.img").write_bytes(data)
    error = complaint(write(VM), build)
    assert error.code == code
    assert message in error.message
    assert error.line == 8


def test_a_text_offset_moves_the_kernel(
    write: Callable[[str], Path], build: Path, tmp_path: Path
) -> None:
    """Within its 2 MiB."""
    (tmp_path / "guest.img").write_bytes(guest_image(text_offset=0x80000))
    _, plan, _ = plan_system(write(VM), build=build)
    start = plan.partitions["guest"].vcpus[0].start
    assert start is not None and start.entry == 0x4028_0000


def test_an_initrd_lies_at_the_end_of_ram(
    write: Callable[[str], Path], build: Path, tmp_path: Path
) -> None:
    """At a multiple of 2 MiB."""
    (tmp_path / "guest.img").write_bytes(guest_image())
    (tmp_path / "initrd").write_bytes(b"initrd")
    _, plan, _ = plan_system(write(VM + 'initrd = "initrd"\n'), build=build)
    ram = next(extent for extent in plan.extents if extent.name == "guest.ram")
    assert ram.data[14 << 20 :] == b"initrd"


def test_a_core_that_is_none_is_refused(build: Path, tmp_path: Path) -> None:
    """Missing, no ELF, no core_end."""
    with pytest.raises(UserError) as caught:
        read_core(tmp_path / "core.elf", BASE)
    assert caught.value.code == "E007"
    with pytest.raises(UserError, match="not Bulkhead's core: it has no symbol core_end") as caught:
        read_core(build / "native.elf", BASE)
    assert caught.value.code == "E701"
    (tmp_path / "core.elf").write_bytes(b"\x7fELF")
    with pytest.raises(UserError, match="not Bulkhead's core"):
        read_core(tmp_path / "core.elf", BASE)


def test_without_a_build_the_message_says_how_to_make_one(
    write: Callable[[str], Path], tmp_path: Path
) -> None:
    """Before anything else can be said."""
    error = complaint(write("[partition.probe]\n"), tmp_path)
    assert error.code == "E007" and "tools/bulkhead run" in error.hint
