# SPDX-License-Identifier: MIT
"""How large the core is: code lines, text, and the memory that EL2 keeps for itself."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from elftools.elf.elffile import ELFFile

from bulkhead.errors import UserError
from bulkhead.pack.inspect import inspect_image
from bulkhead.paths import CHECKOUT, core_elf

# What only the core can touch: itself, the boot table, and its pool (objects, tables, contexts of what is packed).
_OF_EL2 = {"core", "table", "pool"}


def el2_bytes(image: Path) -> int:
    """The memory of a packed system that belongs to EL2."""
    return sum(one["size"] for one in inspect_image(image)["memory"] if one["kind"] in _OF_EL2)


def code_lines() -> tuple[int, int]:
    """Code lines of kernel/ in all, and those in assembly, as cloc counts."""
    command = ["cloc", "--json", "--quiet", str(CHECKOUT / "kernel")]
    try:
        counted = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    except FileNotFoundError:
        hint = "run `tools/bulkhead setup`"
        raise UserError("there is no cloc on the PATH", code="bench-tool", hint=hint) from None
    return counted["SUM"]["code"], counted["Assembly"]["code"]


def text_bytes() -> int:
    """.text of the core."""
    with core_elf().open("rb") as file:
        return int(ELFFile(file).get_section_by_name(".text")["sh_size"])


def sizes(demo: Path, one_vm: Path, two_vms: Path) -> dict[str, int]:
    """The table's rows, from three packed systems, the last two of which differ by a VM."""
    lines, assembly = code_lines()
    return {
        "code lines of kernel/": lines,
        "of these, assembly": assembly,
        ".text of the core, bytes": text_bytes(),
        "EL2 memory of the demo, bytes": el2_bytes(demo),
        "EL2 memory per VM, bytes": el2_bytes(two_vms) - el2_bytes(one_vm),
    }
