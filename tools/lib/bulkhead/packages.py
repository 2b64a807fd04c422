# SPDX-License-Identifier: MIT
"""The Debian packages that the tools need (tools/packages.txt), and which of them this machine lacks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bulkhead.errors import UserError
from bulkhead.paths import PACKAGES


@dataclass(frozen=True, slots=True)
class Package:
    """A package and what it is for."""

    name: str
    why: str


def listed(path: Path = PACKAGES) -> list[Package]:
    """The list, in its order."""
    packages = []
    for line in path.read_text().splitlines():
        name, _, why = line.partition("#")
        if name.strip():
            packages.append(Package(name.strip(), why.strip()))
    return packages


def install_line(names: list[str]) -> list[str]:
    """The command that installs `names`."""
    return ["apt-get", "install", "-y", "--no-install-recommends", *names]


def missing(packages: list[Package]) -> list[Package]:
    """Those that dpkg does not have installed; none on a machine without dpkg (see `doctor`)."""
    if shutil.which("dpkg-query") is None:
        return []
    query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"]
    done = subprocess.run(
        [*query, *(package.name for package in packages)], capture_output=True, text=True
    )
    lines = (line.split() for line in done.stdout.splitlines())
    installed = {words[0] for words in lines if words[1:] == ["installed"]}
    return [package for package in packages if package.name not in installed]


def ensure() -> bool:
    """Installs what is missing: root only, saying so first. False if nothing was missing."""
    lacking = missing(listed())
    if not lacking:
        return False
    line = install_line([package.name for package in lacking])
    if os.geteuid() != 0:
        raise UserError(
            "this machine lacks " + ", ".join(package.name for package in lacking),
            code="packages",
            hint="as root, run: apt-get update && " + " ".join(line),
        )
    print("bulkhead: installing with apt-get:", file=sys.stderr)
    for package in lacking:
        print(f"  {package.name:<24}{package.why}", file=sys.stderr)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], line):
        if subprocess.run(command, stdout=sys.stderr, env=environment).returncode != 0:
            raise UserError(f"`{' '.join(command)}` failed", code="packages")
    return True
