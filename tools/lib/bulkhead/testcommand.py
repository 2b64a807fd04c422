# SPDX-License-Identifier: MIT
"""`bulkhead test`: the host tests and pytest, one summary, and as the last line `N passed, N failed`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from elftools.elf.elffile import ELFFile

from bulkhead.bench.operations import BY_NAME
from bulkhead.build import FRESH, build
from bulkhead.errors import UserError
from bulkhead.hosttests import Tally, run_host_tests
from bulkhead.paths import CHECKOUT, build_folder, core_elf
from bulkhead.stretches import longest
from bulkhead.symbols import Symbols

OWN = CHECKOUT / "test"
_WORKERS = (os.cpu_count() or 1) + 1  # a guest also waits
_NO_TESTS = 5
_USAGE = 4
_SAID = 5  # stretches


def run_tests(
    paths: Sequence[Path], keyword: str | None, quick: bool, stretch: Path | None = None
) -> Tally:
    """All tests of the project, or those at `paths` or chosen by `keyword` (then without the host tests).

    `stretch` is a folder for what each machine's longest stretches at EL2 are.
    """
    tally = Tally()
    if not paths and keyword is None:
        started = time.monotonic()
        tally.add(run_host_tests())
        print(f"host: built and run in {time.monotonic() - started:.0f} s", flush=True)
    elif any(_is_own(path) for path in paths) or not paths:
        build()
    tally.add(run_pytest(paths, keyword, quick, stretch))
    return tally


def _is_own(path: Path) -> bool:
    return OWN in (path.absolute(), *path.absolute().parents)


def run_pytest(
    paths: Sequence[Path], keyword: str | None, quick: bool, stretch: Path | None = None
) -> Tally:
    """Runs pytest with the plugin; in the user's own project with the user's own settings."""
    own = not paths or all(_is_own(path) for path in paths)
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "results"
        command = [sys.executable, "-m", "pytest", "-q", f"--bulkhead-results={report}"]
        command += ["-c", str(OWN / "pytest.ini"), "--rootdir", str(OWN), "-rN"] if own else []
        command += ["-p", "bulkhead.pytest_plugin", "-p", "bulkhead.results"]
        command += ["-p", "no:cacheprovider"]
        command += ["-n", str(_WORKERS)] if _pays(paths) else []
        command += ["-k", keyword] if keyword is not None else []
        command += ["-m", "not slow"] if quick else []
        command += [f"--bulkhead-stretch={stretch}"] if stretch is not None else []
        command += [str(path) for path in paths] or [str(OWN)]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        if own and (build_folder() / "build.ninja").is_file():
            environment[FRESH] = str(build_folder())
        status = subprocess.run(command, env=environment).returncode
        return _tally(status, report)


def _pays(paths: Sequence[Path]) -> bool:
    """Workers cost a second to start: not for a single file or test."""
    return not paths or any(path.is_dir() for path in paths)


def _tally(status: int, report: Path) -> Tally:
    if status == _NO_TESTS:
        raise UserError("no test was chosen", code="no-tests", hint="see the PATHs and -k")
    if status == _USAGE or not report.exists():
        raise UserError(f"pytest ended with status {status} before it ran a test", code="pytest")
    tally = count_results(json.loads(report.read_text()))
    if status != 0 and not tally.failed:
        tally.failed, tally.failures = 1, [f"pytest ended with status {status}"]
    return tally


def count_results(results: dict[str, str]) -> Tally:
    """Pytest's results by test."""
    outcomes = list(results.values())
    failures = [name for name, outcome in results.items() if outcome == "failed"]
    return Tally(outcomes.count("passed"), len(failures), outcomes.count("skipped"), failures)


def judge_longest(folder: Path) -> Tally:
    """Prints the longest stretches that the machines have left in `folder`; one beyond the benchmark's bar is a failure."""
    found = longest(folder)
    if not found:
        return Tally(
            failed=1, failures=["no test has booted a machine whose stretches are counted"]
        )
    with core_elf().open("rb") as file:
        symbols = Symbols(ELFFile(file))
    print(f"stretches at EL2 without a look for an interrupt, the longest of {len(found)}:")
    for stretch in found[:_SAID]:
        print(f"  {stretch.count:,} instructions {stretch.describe(symbols)}")
    waited = max(stretch.waited for stretch in found)
    print(f"  not counted: waits for another core's lock, at most {waited:,} instructions")
    bar = BY_NAME["stretch"].bar or 0
    most = f"the longest stretch at EL2 has {found[0].count:,} instructions; the bar is {bar:,}"
    print(most)
    return Tally(failed=1, failures=[most]) if found[0].count > bar else Tally()


def summarize(tally: Tally) -> None:
    """Prints the summary; its last line is `N passed, N failed`."""
    for failure in tally.failures:
        print(f"failed: {failure}")
    if tally.skipped:
        print(f"{tally.skipped} skipped")
    print(f"{tally.passed} passed, {tally.failed} failed", flush=True)
