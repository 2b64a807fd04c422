# SPDX-License-Identifier: MIT
"""The packer's commands: pack, check, inspect."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bulkhead.paths import find_system


def _ready() -> None:
    from bulkhead import packages
    from bulkhead.build import build

    packages.ensure()
    build()


@click.command(short_help="Build, and pack SYSTEM into one bootable image.")
@click.argument("system")
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="IMAGE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write.",
)
def pack(system: str, output: Path) -> None:
    """Build what is stale and pack SYSTEM into one bootable IMAGE.

    \b
      tools/bulkhead pack demo -o demo.img
      tools/bulkhead pack my/system.toml -o my.img

    The image boots with anything that boots an arm64 Linux Image. The QEMU line is printed.
    """
    from bulkhead.pack import pack_system

    path = find_system(system)
    _ready()
    packed = pack_system(path, output)
    for note in packed.notes:
        click.echo(note, err=True)
    size = output.stat().st_size
    click.echo(f"bulkhead: {output}: {size >> 10} KiB, {packed.count} partitions")
    arguments = " ".join(packed.board_qemu)
    click.echo(
        f"bulkhead: boot it with: qemu-system-aarch64 {arguments} -cpu {packed.default_cpu} "
        f"-smp {packed.cpus} -m {packed.memory_mib}M -nographic -nic none -kernel {output}"
    )


@click.command(short_help="Hold SYSTEM against all rules.")
@click.argument("system")
def check(system: str) -> None:
    """Hold SYSTEM against all rules, and say where it breaks one and how to mend it.

    \b
      tools/bulkhead check demo
      tools/bulkhead check my/system.toml

    The rules and their codes are listed in docs/system-description.md.
    """
    from bulkhead.pack import plan_system
    from bulkhead.pack.confined import notes

    path = find_system(system)
    _ready()
    description, plan, _ = plan_system(path)
    for note in notes(plan):
        click.echo(note, err=True)
    count = len(plan.partitions)
    click.echo(f"bulkhead: {description.name}: {count} partitions, no mistake found")


@click.command(short_help="Show what IMAGE holds, and verify its hashes.")
@click.argument("image", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Everything, for a program to read.")
def inspect(image: Path, as_json: bool) -> None:
    """Show what IMAGE holds: memory map, partitions, capabilities by name, interrupts, hashes.

    \b
      tools/bulkhead inspect demo.img
      tools/bulkhead inspect demo.img --json | jq '.partitions[].capabilities'

    The payloads' SHA-256 are verified; exit status 1 if one does not match.
    """
    from bulkhead.pack.inspect import inspect_image, show_image

    report = inspect_image(image)
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        show_image(report)
    if report["damaged"]:
        click.echo(f"bulkhead: {image}: damaged: {', '.join(report['damaged'])}", err=True)
        raise SystemExit(1)


COMMANDS = [pack, check, inspect]
