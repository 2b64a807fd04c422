# SPDX-License-Identifier: MIT
"""What is read from debug information is what the compiler thinks."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bulkhead.errors import UserError
from bulkhead.pack.layout import Abi, read_abi

CHECKOUT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def abi(build: Path) -> Abi:
    """The ABI of the tests' core."""
    return read_abi(build / "kernel" / "core.elf")


def assertions(abi: Abi) -> list[str]:
    """Every size, offset, enumerator and constant as a static_assert."""
    lines = []
    for name, layout in abi.structs.items():
        cpp = "abi::" + name.replace(".", "::")
        lines.append(f"static_assert(sizeof({cpp}) == {layout.size});")
        for field in layout.fields:
            lines.append(
                f"static_assert(__builtin_offsetof({cpp}, {field.name}) == {field.offset});"
            )
            lines.append(f"static_assert(sizeof({cpp}::{field.name}) == {field.size});")
    for name, values in abi.enums.items():
        cpp = "abi::" + name.replace(".", "::")
        lines += [
            f"static_assert(std::uint64_t({cpp}::{key}) == {value}u);"
            for key, value in values.items()
        ]
    for name, value in abi.constants.items():
        cpp = "abi::" + name.replace(".", "::")
        lines.append(f"static_assert(std::uint64_t({cpp}) == {value}u);")
    return lines


def test_layouts_are_the_compilers(abi: Abi, tmp_path: Path) -> None:
    """By asking the compiler."""
    checks = assertions(abi)
    assert len(checks) > 200
    includes = [
        f'#include "{path.relative_to(CHECKOUT)}"'
        for path in sorted((CHECKOUT / "abi").rglob("*.hpp"))
    ]
    source = tmp_path / "check.cpp"
    source.write_text("\n".join([*includes, *checks]) + "\n")
    command = ["aarch64-linux-gnu-g++", "-std=c++20", "-ffreestanding", "-fsyntax-only"]
    done = subprocess.run([*command, f"-I{CHECKOUT}", source], capture_output=True, text=True)
    assert done.stderr == ""


def test_encoding_and_decoding_are_inverse(abi: Abi) -> None:
    """Nested head, text, numbers."""
    head = {"type": 2, "object": 7, "flags": 1}
    values = {"head": head, "name": "ticker", "vmid": 3, "slots": 64, "spi_count": 224}
    data = abi.encode("BootPartition", values)
    assert len(data) == 64
    decoded = abi.decode("BootPartition", data)
    assert {key: decoded[key] for key in values} == values
    assert decoded["supervisor"] == 0


def test_a_core_of_another_version_is_refused(abi: Abi) -> None:
    """By the name that it lacks."""
    with pytest.raises(UserError, match="no abi::BootMap::colour") as caught:
        abi.encode("BootMap", {"colour": 1})
    assert caught.value.code == "E701"


def test_an_elf_without_debug_information_is_refused(build: Path, tmp_path: Path) -> None:
    """It cannot be the core."""
    bare = tmp_path / "bare.elf"
    strip = ["aarch64-linux-gnu-objcopy", "--strip-debug"]
    subprocess.run([*strip, build / "native.elf", bare], check=True)
    with pytest.raises(UserError, match="it has no debug information"):
        read_abi(bare)


def test_a_core_is_read_once_until_it_is_built_anew(build: Path, tmp_path: Path) -> None:
    """Whoever packs many systems in one process reads the debug information of each build once."""
    core = tmp_path / "core.elf"
    core.write_bytes((build / "kernel" / "core.elf").read_bytes())
    first = read_abi(core)
    assert read_abi(core) is first
    core.write_bytes(b"no ELF file")
    with pytest.raises(UserError, match="debug information cannot be read"):
        read_abi(core)
