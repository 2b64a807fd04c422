# SPDX-License-Identifier: MIT
"""The core's bounds (README, docs/internals.md): code lines, assembly, text."""

import json
import re
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


def test_the_scheduler_leaves_no_frames_behind():
    """What never returns is jumped to: scheduler and switch begin anew through each other."""
    command = ["aarch64-linux-gnu-objdump", "-dC", "--no-show-raw-insn", str(core_elf())]
    listing = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    goes_on = (
        r"schedule|idle|run_leaf|change_account|enter_with_signals|renew|before_guest|fold_and_fill"
    )
    goes_on += r"|leave_slowly\(bulkhead::Core|evict_slowly|load_slowly"
    function, callers = "", []
    for line in listing.splitlines():
        if begins := re.fullmatch(r"[0-9a-f]+ <(.*)>:", line):
            function = begins[1]
        elif re.search(rf"\tbl\t.*<bulkhead::(\(anonymous namespace\)::)?({goes_on})", line):
            callers.append(function.split("(bulkhead::Core")[0])
    assert callers == ["bulkhead::begin_scheduling"]
