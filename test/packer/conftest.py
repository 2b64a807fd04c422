# SPDX-License-Identifier: MIT
"""Builds what the packer packs in its tests: a core that is only its ABI, a native program, a guest Image."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
sys.path.insert(0, str(HERE))  # for boot_image
SERVICES = (
    "console",
    "uart",
    "virtio-console",
    "timer",
    "gic",
    "lifecycle",
    "block",
    "serial",
    "probe",
    "spy",
)
_PARTITIONS = ("one", "two", "three", "guest")
_FLAGS = ["-nostdlib", "-static", "-no-pie", "-fno-pie", "-Wl,--build-id=none"]
_DEBUG = ["-g", "-fno-eliminate-unused-debug-symbols", "-fno-eliminate-unused-debug-types"]


def guest_image(size: int = 0x3000, text_offset: int = 0) -> bytes:
    """An arm64 Image that is only a header."""
    header = struct.pack("<IIQQQ", 0x14000000, 0, text_offset, size, 0b1010)
    return header.ljust(56, b"\0") + b"ARM\x64" + bytes(4) + b"guest"


def compile_native(source: Path, output: Path) -> None:
    """A native program of one file."""
    options = [*_FLAGS, *_DEBUG, "-Wl,-z,max-page-size=4096", "-T", str(HERE / "native.ld")]
    options.append("-fno-asynchronous-unwind-tables")
    subprocess.run(["aarch64-linux-gnu-g++", *options, source, "-o", output], check=True)


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder, as far as the packer looks at it."""
    folder = tmp_path_factory.mktemp("build")
    core = folder / "kernel" / "core.elf"
    core.parent.mkdir()
    compiler = ["aarch64-linux-gnu-g++", "-std=c++20", "-ffreestanding", f"-I{CHECKOUT}"]
    options = [*_FLAGS, *_DEBUG, "-fno-asynchronous-unwind-tables", "-Wl,--no-warn-rwx-segments"]
    script, source = HERE / "core.ld", HERE / "core.cpp"
    subprocess.run([*compiler, *options, "-T", script, source, "-o", core], check=True)
    program = folder / "native.elf"
    compile_native(HERE / "native.S", program)
    for name in (*SERVICES, *_PARTITIONS, *(f"s{index}" for index in range(10))):
        place = folder / "services" / name
        place.mkdir(parents=True)
        os.link(program, place / f"{name}.elf")
    place = folder / "services" / "unconfined"
    place.mkdir()
    compile_native(HERE / "unconfined.S", place / "unconfined.elf")
    for name in ("guest", "ticker", "pair"):
        place = folder / "partitions" / name
        place.mkdir(parents=True)
        (place / f"{name}.img").write_bytes(guest_image())
    return folder


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a description; a [system] table comes before it if it has none."""

    def write_text(text: str) -> Path:
        file = tmp_path / "system.toml"
        head = "" if "[system]" in text else '[system]\nboard = "qemu-virt"\n'
        file.write_text(head + text)
        return file

    return write_text
