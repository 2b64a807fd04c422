# SPDX-License-Identifier: MIT
"""The core's bounds (README, docs/internals.md): code lines, assembly, text."""

import json
import subprocess

from bulkhead.paths import CHECKOUT, core_elf
from elftools.elf.elffile import ELFFile

MOST_LINES, MOST_ASSEMBLY, MOST_TEXT = 5000, 400, 40 * 1024


def test_the_core_has_few_lines():
    command = ["cloc", "--json", "--quiet", str(CHECKOUT / "kernel")]
    counted = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    lines, assembly = counted["SUM"]["code"], counted["Assembly"]["code"]
    assert assembly <= MOST_ASSEMBLY, f"kernel/ has {assembly} lines of assembly"
    assert lines <= MOST_LINES, f"kernel/ has {lines} code lines"


def test_the_core_has_little_text():
    with core_elf().open("rb") as file:
        size = ELFFile(file).get_section_by_name(".text")["sh_size"]
    assert size <= MOST_TEXT, f".text of core.elf has {size} bytes"
