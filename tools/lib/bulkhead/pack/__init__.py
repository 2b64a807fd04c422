# SPDX-License-Identifier: MIT
"""The packer: from a system description to one bootable image."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from bulkhead.errors import UserError
from bulkhead.pack import artifacts
from bulkhead.pack.bounds import check_bounds
from bulkhead.pack.check_plan import check_plan
from bulkhead.pack.confined import notes
from bulkhead.pack.description import System
from bulkhead.pack.guests import guest_plan
from bulkhead.pack.image import image_bytes, table_size
from bulkhead.pack.layout import Abi, read_abi
from bulkhead.pack.manifest import make_manifest
from bulkhead.pack.place import place
from bulkhead.pack.plan import Plan
from bulkhead.pack.problems import Problems, raise_all
from bulkhead.pack.reader import read_system
from bulkhead.pack.rules import check_description
from bulkhead.pack.wire import make_plan
from bulkhead.pack.wire_partitions import Material
from bulkhead.paths import build_folder


@dataclass(frozen=True, slots=True)
class PackedSystem:
    """What the tools need to know to run an image."""

    image: Path
    board_qemu: list[str]
    cpus: int
    memory_mib: int
    default_cpu: str
    partitions: list[str]  # streams by name; empty without a console
    count: int
    notes: list[str]


def pack_system(
    system: Path,
    output: Path,
    *,
    console_format: str | None = None,
    build: Path | None = None,
    cores: int | None = None,
) -> PackedSystem:
    """Packs the system described in `system` into the file `output`; `cores`: for another number of cores."""
    description, plan, core = plan_system(
        system, console_format=console_format, build=build, cores=cores
    )
    data = image_bytes(plan, core, make_manifest(plan, core))
    partial = output.with_name(output.name + f".{os.getpid()}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(output)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UserError(f"cannot write it: {error.strerror}", code="E007", file=output) from None
    board = description.board
    return PackedSystem(
        image=output,
        board_qemu=list(board.qemu),
        cpus=description.cores,
        memory_mib=description.memory_mib,
        default_cpu=board.default_cpu,
        partitions=list(plan.streams),
        count=len(plan.partitions),
        notes=notes(plan),
    )


def plan_system(
    system: Path,
    *,
    console_format: str | None = None,
    build: Path | None = None,
    cores: int | None = None,
) -> tuple[System, Plan, artifacts.Core]:
    """Everything but the bytes: read, checked, wired and placed."""
    build = build or build_folder()
    description = read_system(system, cores)
    if console_format is not None:
        natives = tuple(replace(one, format=console_format) for one in description.natives)
        description = replace(description, natives=natives)
    raise_all(check_description(description))
    file = build / "kernel" / "core.elf"
    abi = read_abi(file) if file.is_file() else _no_core(file)
    core = artifacts.read_core(file, abi.constant("image_address"))
    material = read_material(description, build)
    plan = make_plan(description, abi, material)
    place(plan, len(core.data), table_size(plan))
    raise_all([*check_plan(plan), *check_bounds(plan, material.programs)])
    return description, plan, core


def _no_core(file: Path) -> Abi:
    hint = "build Bulkhead first: `tools/bulkhead run` does so"
    raise UserError("there is no core", code="E007", file=file, hint=hint)


def read_material(system: System, build: Path) -> Material:
    """All the files that the description names."""
    material = Material({}, {}, {}, {})
    errors: list[UserError] = []
    for native in system.natives:
        try:
            material.programs[native.name] = artifacts.read_program(system, build, native)
        except UserError as error:
            errors.append(error)
    for vm in system.vms:
        try:
            material.guests[vm.name] = guest_plan(system, build, vm)
        except UserError as error:
            errors.append(error)
    raise_all(errors)
    return material


__all__ = ["PackedSystem", "Problems", "pack_system", "plan_system"]
