# SPDX-License-Identifier: MIT
"""A panic of the core: no partition can cause one, so the image is damaged on purpose; then what the dump says is true.

The core itself is the one that everybody runs: only one word of its code, or of the boot table, is another.
"""

import dataclasses
import re
import struct
import subprocess
import zlib

import pytest
from elftools.elf.elffile import ELFFile

from bulkhead.paths import CHECKOUT, core_elf
from bulkhead.symbolize import describe

IMAGE_ADDRESS = 0x40200000
SIZE, CRC, UART = 12, 16, 72  # offsets in abi::BootHeader
UNDEFINED = struct.pack("<I", 0)  # UDF #0


def symbols():
    with core_elf().open("rb") as file:
        table = ELFFile(file).get_section_by_name(".symtab")
        return {symbol.name: symbol["st_value"] for symbol in table.iter_symbols()}


def symbol(part):
    found = [address for name, address in symbols().items() if part in name]
    assert len(found) == 1, f"{part}: {found}"
    return found[0]


@pytest.fixture
def damaged(machine, tmp_path):
    """Packs `idle`, lets the caller change the bytes of the image, and boots that."""

    def boot(change):
        packed = machine.pack("idle")
        image = bytearray(packed.image.read_bytes())
        change(image)
        copy = tmp_path / "damaged.img"
        copy.write_bytes(image)
        machine.boot(dataclasses.replace(packed, image=copy), may_panic=True)
        machine.wait_off()
        return machine.transcript

    return boot


def functions(lines):
    return [
        match[1] for line in lines if (match := re.match(r"#\d+ +0x[0-9a-f]{16} ([^ (+]+)", line))
    ]


def test_an_exception_at_el2_names_core_partition_and_the_frames(damaged, tmp_path):
    def undefined_instruction(image):
        at = symbol("hypercall12vcpu_control") - IMAGE_ADDRESS
        image[at : at + 4] = UNDEFINED

    transcript = damaged(undefined_instruction)
    first = transcript.panic[0]
    assert "core=0 partition=lifecycle vcpu=0" in first
    assert 'violated="exception at EL2"' in first
    assert transcript.off.keys["reason"] == "panic"
    log = tmp_path / "log"
    log.write_text("".join(f"core       | {line}\n" for line in transcript.panic))
    command = [str(CHECKOUT / "tools" / "bulkhead"), "symbolize", str(log)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names = functions(done.stdout.splitlines())
    assert names[:2] == ["bulkhead::hypercall::vcpu_control", "handle_hypercall"]
    assert "kernel/hypercall/vcpu.cpp:" in done.stdout


def test_a_broken_invariant_names_the_condition_its_place_and_the_frames(damaged):
    def unaligned_uart(image):
        table = symbol("core_end") - IMAGE_ADDRESS
        (size,) = struct.unpack_from("<I", image, table + SIZE)
        image[table + UART] += 1
        image[table + CRC : table + CRC + 4] = bytes(4)
        struct.pack_into("<I", image, table + CRC, zlib.crc32(image[table : table + size]))

    transcript = damaged(unaligned_uart)
    first = transcript.panic[0]
    assert "core=0" in first and "partition=" not in first  # none runs yet
    assert 'violated="page_aligned(base.value | size)"' in first
    assert re.search(r"file=\S*kernel/mm/el2_map.cpp line=\d+$", first)
    names = functions(describe(transcript.panic, core_elf()))
    assert names[0] == "bulkhead::el2_map::add"
    assert names[1:] == ["boot_main", "start"]
