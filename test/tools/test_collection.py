# SPDX-License-Identifier: MIT
"""Tests have the same names in every process that collects them: pytest-xdist runs none otherwise."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def collected(seed: int) -> list[str]:
    """What a process of its own collects, at its own time and with its own order of sets."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-p",
        "no:cacheprovider",
        str(TESTS),
    ]
    environment = os.environ | {"PYTHONHASHSEED": str(seed)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return done.stdout.splitlines()[:-1]  # the last line tells the time that it took


def test_two_processes_collect_the_same_tests() -> None:
    """Whatever the clock says, and however sets are ordered."""
    first = collected(1)
    assert len(first) > 300
    assert collected(2) == first


def test_bytes_do_not_name_a_test(request: pytest.FixtureRequest) -> None:
    """A gzip file made at import time holds the second in which it was made."""
    plugin = request.config.pluginmanager
    assert (
        plugin.hook.pytest_make_parametrize_id(
            config=request.config, val=b"\x1f\x8b", argname="data"
        )
        == "data"
    )
