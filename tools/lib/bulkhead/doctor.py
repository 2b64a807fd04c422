# SPDX-License-Identifier: MIT
"""`bulkhead doctor`: looks at the machine and says what is wrong with it and how to mend it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bulkhead import packages
from bulkhead.paths import build_folder

_TOOLS = (
    ("aarch64-linux-gnu-g++", "--version", (12, 0)),
    ("g++", "--version", (12, 0)),
    ("meson", "--version", (1, 0)),
    ("ninja", "--version", (1, 10)),
    ("qemu-system-aarch64", "--version", (7, 2)),
    ("clang-format", "--version", (14, 0)),
    ("clang-tidy", "--version", (14, 0)),
    ("black", "--version", (23, 1)),
    ("mypy", "--version", (1, 0)),
    ("cloc", "--version", (1, 90)),
)
_UBOOT = Path("/usr/lib/u-boot/qemu_arm64/u-boot.bin")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; `mend` is empty if it is well."""

    what: str
    found: str
    mend: str = ""


def checks() -> Iterator[Check]:
    """Everything that the other commands rely on."""
    yield _python()
    lacking = packages.missing(packages.listed())
    names = [package.name for package in lacking]
    yield Check(
        "packages",
        f"missing: {' '.join(names)}" if names else "all installed",
        "tools/bulkhead setup" if names else "",
    )
    for tool, option, least in _TOOLS:
        yield _tool(tool, option, least)
    yield Check(
        "U-Boot",
        str(_UBOOT) if _UBOOT.is_file() else "not there",
        "" if _UBOOT.is_file() else "tools/bulkhead setup (u-boot-qemu)",
    )
    yield _folder(build_folder())


def _python() -> Check:
    version = platform.python_version()
    old = sys.version_info < (3, 11)
    mend = "Python 3.11 or newer is needed (Debian 12 has it)" if old else ""
    return Check("python3", f"{version} ({sys.executable})", mend)


def _tool(tool: str, option: str, least: tuple[int, int]) -> Check:
    path = shutil.which(tool)
    if path is None:
        return Check(tool, "not on the PATH", "tools/bulkhead setup")
    done = subprocess.run([path, option], capture_output=True, text=True, errors="replace")
    found = re.search(r"\b(\d+)\.(\d+)[\w.]*", re.sub(r"\(Debian[^)]*\)", "", done.stdout))
    if done.returncode != 0 or found is None:
        return Check(tool, f"{path} {option} fails", "reinstall its package")
    if (int(found[1]), int(found[2])) < least:
        return Check(tool, found[0], f"{least[0]}.{least[1]} or newer is needed")
    return Check(tool, found[0])


def _folder(folder: Path) -> Check:
    top = folder
    while not top.exists():
        top = top.parent
    if not os.access(top, os.W_OK):
        return Check("build folder", f"{folder} cannot be written", "set $BULKHEAD_BUILD")
    free = shutil.disk_usage(top).free // (1 << 20)
    return Check(
        "build folder", f"{folder}, {free} MiB free", "free some room" if free < 500 else ""
    )


def doctor() -> bool:
    """Prints a table; True if all is well."""
    table = Table("what", "found", "to mend it")
    results = list(checks())
    for check in results:
        style = "red" if check.mend else "green"
        table.add_row(check.what, f"[{style}]{check.found}[/]", check.mend)
    Console().print(table)
    return not any(check.mend for check in results)
