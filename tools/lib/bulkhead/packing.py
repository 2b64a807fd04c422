# SPDX-License-Identifier: MIT
"""The way from a system's name to a packed image: build what is stale, then call the packer."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import cast

from bulkhead.errors import UserError
from bulkhead.qemu import Packed

Pack = Callable[..., Packed]


def packer() -> Pack:
    """`bulkhead.pack.pack_system(system, output, *, console_format, cores)`."""
    if importlib.util.find_spec("bulkhead.pack") is None:
        raise UserError("this checkout has no packer (tools/lib/bulkhead/pack)", code="no-packer")
    return cast(Pack, importlib.import_module("bulkhead.pack").pack_system)


def pack(system: Path, output: Path, cores: int | None = None) -> Packed:
    """Packs `system` for the tools: its console speaks the framed format. `cores`: for another number of cores."""
    output.parent.mkdir(parents=True, exist_ok=True)
    return packer()(system, output, console_format="framed", cores=cores)
