# SPDX-License-Identifier: MIT
"""The command line: `bulkhead COMMAND`, its help, and the one place that turns a user's mistake into exit status 2."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import tempfile
from pathlib import Path

import click

from bulkhead.errors import UserError
from bulkhead.paths import core_elf, find_system

_TOP = """Packs, boots and tests Bulkhead systems.

\b
  tools/bulkhead run                    boot the demo: build, pack, boot, hand the terminal over
  tools/bulkhead run idle --smp 1       another system, on one CPU
  tools/bulkhead pack demo -o demo.img  an image that boots with plain QEMU or U-Boot
  tools/bulkhead test --quick           all tests but the slow ones
  tools/bulkhead doctor                 what is wrong with this machine?

SYSTEM is a name under partitions/ or a path to a .toml. Each command has its own --help.
Exit status: 0 all went well; 1 a test, the machine or a check failed; 2 your mistake, with a
message that says how to mend it; 3 QEMU itself failed.
"""


@click.group(
    help=_TOP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
def bulkhead() -> None:
    """The group that all commands belong to."""


@bulkhead.command(short_help="Build, pack and boot SYSTEM in QEMU.")
@click.argument("system", default="demo")
@click.option("--cpu", metavar="C", help="QEMU's CPU model, e.g. cortex-a53, neoverse-n1, max.")
@click.option("--smp", metavar="N", type=click.IntRange(1, 8), help="Number of CPUs, 1 to 8.")
@click.option(
    "--until",
    multiple=True,
    metavar="[PARTITION:]REGEX",
    help="End when this was seen (repeatable).",
)
@click.option(
    "--timeout", metavar="S", type=click.FloatRange(0, min_open=True), help="End after S seconds."
)
@click.option(
    "--qemu-arg", multiple=True, metavar="ARG", help="One more argument for QEMU (repeatable)."
)
@click.option("--icount", is_flag=True, help="Deterministic virtual time: an instruction is 1 ns.")
def run(
    system: str,
    cpu: str | None,
    smp: int | None,
    until: tuple[str, ...],
    timeout: float | None,
    qemu_arg: tuple[str, ...],
    icount: bool,
) -> None:
    """Boot SYSTEM in QEMU (default: demo), building and packing what is stale.

    On a terminal your keys go to the focused partition; Ctrl-\\ is the escape key (Ctrl-\\ ? lists
    what follows it, Ctrl-\\ q quits). Without a terminal the partitions' output is only streamed.

    \b
      tools/bulkhead run
      tools/bulkhead run demo --cpu neoverse-n1 --smp 4
      tools/bulkhead run --until 'u-boot:=> ' --until 'ticker:tick 3' --timeout 120
      tools/bulkhead run my/system.toml --qemu-arg=-d --qemu-arg=int,guest_errors

    --until matches the uncoloured text of a complete line or of a prompt; if given several times,
    all must match; a colon of the expression itself is written \\:. Exit status: 0 ended by order (poweroff, the quit key, all patterns matched);
    1 a panic, the supervision policy, or the timeout; 2 your mistake; 3 QEMU failed.
    """
    from bulkhead import packages, qemu
    from bulkhead.build import build
    from bulkhead.packing import pack
    from bulkhead.run import run as boot
    from bulkhead.until import Until

    patterns = [Until(pattern) for pattern in until]
    path = find_system(system)
    packages.ensure()
    build()
    with tempfile.TemporaryDirectory(prefix="bulkhead-") as scratch:
        image = Path(scratch) / "system.img"
        packed = pack(path, image)
        if smp is not None and smp < packed.cpus:
            packed = pack(path, image, cores=smp)
        for note in packed.notes:
            click.echo(note, err=True)
        for pattern in patterns:
            pattern.check(packed.partitions)
        options = qemu.Options(cpu, smp, icount, qemu_arg)
        ending = boot(qemu.command(packed, options), patterns, timeout)
    click.echo(f"bulkhead: {ending.reason}", err=True)
    sys.exit(ending.status)


@bulkhead.command(short_help="Run the tests, these or your own.")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option("-k", "keyword", metavar="EXPRESSION", help="Only tests that match, as pytest's -k.")
@click.option("--quick", is_flag=True, help="Leave out the tests marked slow.")
@click.option(
    "--stretch",
    is_flag=True,
    help="Count how long the machines stay at EL2 at most, against its bar.",
)
@click.option("--also-failed", multiple=True, hidden=True)
def test(
    paths: tuple[Path, ...],
    keyword: str | None,
    quick: bool,
    stretch: bool,
    also_failed: tuple[str, ...],
) -> None:
    """Run the tests: the core's on the host, the tools', and whole systems in QEMU.

    \b
      tools/bulkhead test                   everything
      tools/bulkhead test --quick           all but the slow ones
      tools/bulkhead test -k symbolize      pytest tests whose name matches
      tools/bulkhead test ~/my-project/test your own tests, with the fixture `machine`

    With PATHs or -k only pytest runs. The last line is `N passed, N failed`; the exit status is 0
    if none failed, 1 if some did.
    """
    from bulkhead import packages, testcommand

    for path in paths:
        if not Path(str(path).split("::")[0]).exists():
            raise UserError(f"there is no file or folder {path}", code="no-path")
    packages.ensure()
    with tempfile.TemporaryDirectory() as folder:
        tally = testcommand.run_tests(paths, keyword, quick, Path(folder) if stretch else None)
        if stretch:
            tally.add(testcommand.judge_longest(Path(folder)))
    tally.failed += len(also_failed)
    tally.failures += also_failed
    testcommand.summarize(tally)
    sys.exit(1 if tally.failed else 0)


@bulkhead.command(short_help="Install the Debian packages that are missing.")
def setup() -> None:
    """Install the Debian packages that Bulkhead needs, as root; otherwise print the apt-get line.

    The list, with a reason for each, is in tools/packages.txt. `run` and `test` call this.
    """
    from bulkhead import packages

    if packages.ensure():
        click.echo("bulkhead: installed what was missing")
    else:
        click.echo("bulkhead: nothing is missing")


@bulkhead.command(short_help="Say what is wrong with this machine.")
def doctor() -> None:
    """Say what is wrong with this machine: python3, packages, versions, the build folder."""
    from bulkhead.doctor import doctor as look

    sys.exit(0 if look() else 1)


@bulkhead.command(short_help="Check the form of C++ and Python.")
def lint() -> None:
    """Check form: clang-format, clang-tidy (kernel, services), black and mypy --strict."""
    from bulkhead import packages
    from bulkhead.lint import lint as check

    packages.ensure()
    sys.exit(0 if check() else 1)


@bulkhead.command(short_help="Name functions and lines of a panic in LOG.")
@click.argument("log", type=click.File("r", errors="replace"))
@click.option(
    "--elf", type=click.Path(path_type=Path), help="Default: the build's kernel/core.elf."
)
def symbolize(log: click.utils.LazyFile, elf: Path | None) -> None:
    """Name the functions and lines of every panic in LOG (- reads stdin).

    \b
      tools/bulkhead symbolize run.log
      tools/bulkhead symbolize --elf old/core.elf run.log
    """
    from bulkhead.symbolize import describe

    lines = describe(log, elf if elf is not None else core_elf())
    click.echo("\n".join(lines) if lines else "bulkhead: there is no panic in this log")


def _add_commands(name: str) -> None:
    if importlib.util.find_spec(name) is None:
        return
    for value in vars(importlib.import_module(name)).values():
        if isinstance(value, click.Command):
            bulkhead.add_command(value)


_add_commands("bulkhead.commands_pack")
_add_commands("bulkhead.bench.command")


def main() -> None:
    """Runs the command line and exits with its status."""
    try:
        bulkhead(prog_name="bulkhead")
    except UserError as error:
        click.echo(error.render(), err=True)
        sys.exit(error.status)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"error: {where}{error.strerror or error}", err=True)
        sys.exit(UserError.status)
