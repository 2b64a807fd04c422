# SPDX-License-Identifier: MIT
"""The command `bench`: measures, prints, keeps, compares."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click


@click.command(short_help="Count what Bulkhead's operations cost.")
@click.option(
    "--only",
    multiple=True,
    metavar="NAME",
    help="An operation, a group of them, or a section (repeatable).",
)
@click.option(
    "--json",
    "output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep the figures in FILE.",
)
@click.option(
    "--compare",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Show what changed against such a FILE.",
)
@click.option("--check", is_flag=True, help="Exit status 1 for a count beyond bar and record.")
@click.option("--cpu", metavar="C", help="QEMU's CPU model; default cortex-a72.")
@click.option("--peer", multiple=True, metavar="NAME", help="Also measure kvm or xen (repeatable).")
def bench(
    only: tuple[str, ...],
    output: Path | None,
    compare: Path | None,
    check: bool,
    cpu: str | None,
    peer: tuple[str, ...],
) -> None:
    """Count in instructions what Bulkhead's operations cost, and hold them against their bars.

    \b
      tools/bulkhead bench                              everything
      tools/bulkhead bench --only exits --only ipc      some of it
      tools/bulkhead bench --json now.json --compare test/bench/recorded.json

    The machine is QEMU with -icount: two runs give the same figures. docs/benchmark.md defines
    each operation. Exit status 0 whatever the figures are; with --check 1 if a count is beyond its
    bar and, by more than 5 %, beyond that of --compare.
    """
    from bulkhead import packages
    from bulkhead.bench import figures, report
    from bulkhead.bench.operations import chosen
    from bulkhead.bench import session
    from bulkhead.build import build

    names = chosen(only)
    session.check(peer)
    before = figures.read(compare) if compare is not None else None
    packages.ensure()
    build()
    with tempfile.TemporaryDirectory(prefix="bulkhead-") as scratch:
        results = session.measure(names, cpu, peer, Path(scratch))
    report.show(results, before)
    if output is not None:
        figures.write(results, output)
    failed = report.failures(results, before)
    if check and failed:
        click.echo(f"bulkhead: beyond the bar and the record: {', '.join(failed)}", err=True)
        sys.exit(1)


@click.command(name="bench-page", short_help="Plot the files of `bench --json` over commits.")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="PAGE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The HTML page to write.",
)
def bench_page(files: tuple[Path, ...], output: Path) -> None:
    """Make one self-contained HTML page with a plot over commits of each operation.

    \b
      tools/bulkhead bench-page results/*.json -o bench.html
    """
    from bulkhead import packages
    from bulkhead.bench import figures
    from bulkhead.bench.page import write_page

    results = [figures.read(file) for file in files]
    packages.ensure()
    write_page(results, output)
    click.echo(f"bulkhead: {output}: {len(results)} commits")
