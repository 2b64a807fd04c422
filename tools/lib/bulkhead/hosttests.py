# SPDX-License-Identifier: MIT
"""Runs the host tests that meson knows (Catch2 programs) and counts their test cases."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bulkhead.build import build
from bulkhead.errors import UserError


@dataclass(slots=True)
class Tally:
    """What a set of tests came to; `failures` names them for the summary."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Takes another tally in."""
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures


def run_host_tests() -> Tally:
    """Builds, then runs each program; a program that fails is run again for its readable report."""
    folder = build(host_tests=True)
    done = subprocess.run(
        ["meson", "introspect", "--tests", str(folder)], capture_output=True, text=True
    )
    if done.returncode != 0:
        raise UserError(f"meson introspect failed: {done.stdout}{done.stderr}", code="build")
    tally = Tally()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for result in pool.map(_run_one, json.loads(done.stdout)):
            tally.add(result)
    return tally


def _run_one(test: dict[str, Any]) -> Tally:
    name, command = str(test["name"]), [str(word) for word in test["cmd"]]
    environment = {**os.environ, **test.get("env", {})}
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.xml"
        options = ["--reporter", "xml", "--out", str(report)]
        status, said = _execute([*command, *options], environment, test.get("workdir"))
        tally = count_cases(name, report.read_text(errors="replace") if report.exists() else "")
    if tally is None and status == 0:
        tally = Tally(passed=1)  # no Catch2 program: its status is its result
    if tally is None or (status != 0 and not tally.failed):
        tally = Tally(failed=1, failures=[f"{name} (ended with status {status})"])
    print(f"host: {name}: {tally.passed} passed, {tally.failed} failed", flush=True)
    if tally.failed:
        again = _execute(command, environment, test.get("workdir"))[1]
        print((again or said).strip(), flush=True)
    return tally


def _execute(
    command: list[str], environment: dict[str, str], folder: str | None
) -> tuple[int, str]:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            timeout=600,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return -1, str(error)
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def count_cases(name: str, report: str) -> Tally | None:
    """The test cases in a Catch2 XML report; None if it is not whole."""
    try:
        top = ElementTree.fromstring(report)
    except ElementTree.ParseError:
        return None
    tally = Tally()
    for case in top.iter("TestCase"):
        result = case.find("OverallResult")
        if result is None or result.get("success") != "true":
            tally.failed += 1
            tally.failures.append(f"{name}: {case.get('name')}")
        else:
            tally.passed += 1
    return tally
