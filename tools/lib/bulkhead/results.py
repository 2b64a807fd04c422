# SPDX-License-Identifier: MIT
"""A pytest plugin for `bulkhead test` alone: what became of each test, written to the file of --bulkhead-results."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

_WORST = ("passed", "skipped", "failed")
_results: dict[str, str] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    """The file."""
    parser.addoption("--bulkhead-results", metavar="FILE", type=Path)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Set-up, call and tear-down of a test: the worst of them counts."""
    _note(report.nodeid, report.outcome)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A file that cannot be imported is a failure."""
    if report.failed:
        _note(report.nodeid, "failed")


def _note(node: str, outcome: str) -> None:
    _results[node] = max(_results.get(node, outcome), outcome, key=_WORST.index)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Writes them, each named so that it can be given to `bulkhead test` from this folder."""
    file = session.config.getoption("--bulkhead-results")
    if file is None or hasattr(session.config, "workerinput"):
        return
    top = session.config.rootpath
    named = {os.path.relpath(top / node): outcome for node, outcome in _results.items()}
    file.write_text(json.dumps(named))
