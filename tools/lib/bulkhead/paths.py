# SPDX-License-Identifier: MIT
"""Where things are: the checkout, its build folder, and the systems that a name stands for."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from bulkhead.errors import UserError

CHECKOUT = Path(__file__).resolve().parents[3]
PACKAGES = CHECKOUT / "tools" / "packages.txt"
SYSTEMS = CHECKOUT / "partitions"


def build_folder() -> Path:
    """$BULKHEAD_BUILD, or `build/` at the top of the checkout."""
    chosen = os.environ.get("BULKHEAD_BUILD")
    return Path(chosen).absolute() if chosen else CHECKOUT / "build"


def core_elf() -> Path:
    """The core with its debug information, as the build leaves it."""
    return build_folder() / "kernel" / "core.elf"


def known_systems(folders: Iterable[Path] = (SYSTEMS,)) -> list[str]:
    """The names that `find_system` knows in `folders`."""
    return sorted({path.parent.name for top in folders for path in top.glob("*/system.toml")})


def find_system(system: str | Path, folders: Iterable[Path] = (SYSTEMS,)) -> Path:
    """The description that SYSTEM means: a path to a .toml, or a name under one of `folders`."""
    folders = tuple(folders)
    text = str(system)
    if text.endswith(".toml"):
        path = Path(text)
        if not path.is_file():
            raise UserError(f"there is no file {text}", code="no-system", hint=_names(folders))
        return path
    if "/" not in text and text not in ("", ".", ".."):
        for folder in folders:
            if (folder / text / "system.toml").is_file():
                return folder / text / "system.toml"
    raise UserError(f"there is no system '{text}'", code="no-system", hint=_names(folders))


def _names(folders: tuple[Path, ...]) -> str:
    names = ", ".join(known_systems(folders)) or "none yet"
    return f"give a path to a .toml, or one of the names: {names}"
