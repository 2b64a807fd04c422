# SPDX-License-Identifier: MIT
"""The pytest plugin in a user's own project: figures in the summary, logs attached, systems by name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project elsewhere that loads the plugin by -p only."""
    monkeypatch.setenv("PYTHONPATH", os.environ["PYTHONPATH"] + f":{HERE}")

    def run(test: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "test_own.py").write_text(test)
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "bulkhead.pytest_plugin",
            "-p",
            "no:cacheprovider",
        ]
        return subprocess.run(
            [*command, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )

    return run


FIGURES = """
import pytest
@pytest.mark.parametrize("number", [1, 2])
def test_count(record_figure, number):
    record_figure(f"UART exit {number}", 275 * number, "instructions", bar=300)
def test_plain(record_figure):
    record_figure("text", 40, "KiB")
"""


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_figures_are_a_table_in_the_summary(project, workers):
    done = project(FIGURES, *workers)
    assert done.returncode == 0, done.stdout
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "UART exit 1 275 instructions (bar 300: met)" in lines
    assert "UART exit 2 550 instructions (bar 300: NOT met)" in lines
    assert "text 40 KiB" in lines


FAILING = """
from fakes import fake_image
from bulkhead.framed import encode
def test_it(machine, tmp_path):
    names = encode(0, b"streams 1=core 2=guest0\\n")
    machine.boot(fake_image(tmp_path, names + encode(2, b"the clue\\n"), then="spin"))
    machine.expect("the answer", "guest0", timeout=1)
"""


@pytest.mark.parametrize("workers", [[], ["-n", "1"]])
def test_a_failure_has_the_log_of_every_stream(project, workers):
    done = project(FAILING, *workers)
    assert done.returncode == 1
    assert "expected 'the answer' in guest0, but: nothing for 1 s" in done.stdout
    assert "stream guest0" in done.stdout and "the clue" in done.stdout.split("stream guest0")[1]
    assert "harness.py" not in done.stdout  # the trace ends in the user's test


PANIC = """
from fakes import fake_image
def test_it(machine, tmp_path):
    machine.boot(fake_image(tmp_path, b"hello\\ncore: panic what=x\\ncore: panic end\\n", then="spin"))
    machine.expect("hello")
    machine.run_for(0.3)
"""


def test_a_panic_that_nobody_expected_fails_the_test(project):
    done = project(PANIC)
    assert done.returncode == 1
    assert "the core panicked: core: panic what=x" in done.stdout


def test_a_system_that_is_not_there_is_named(project):
    done = project("def test_it(machine):\n    machine.boot('nowhere')\n")
    assert done.returncode == 1
    assert "there is no system 'nowhere'" in done.stdout


PACKED = """
from pathlib import Path
from bulkhead import packing, pytest_plugin
from fakes import fake_image
def test_once(machine, tmp_path, monkeypatch):
    calls = []
    def pack(system, output):
        calls.append(system)
        return fake_image(tmp_path, b"hello\\n", then="spin")
    monkeypatch.setattr(packing, "pack", pack)
    monkeypatch.setattr(pytest_plugin, "build", lambda: None)
    for _ in range(2):
        machine.boot("mine", cpu="cortex-a53", smp=2, icount=True)
        machine.expect("hello", "core")
    assert calls == [Path.cwd() / "systems/mine/system.toml"]
"""


def test_a_system_is_packed_once_and_found_by_its_name(project, tmp_path):
    (tmp_path / "systems" / "mine").mkdir(parents=True)
    (tmp_path / "systems" / "mine" / "system.toml").write_text("")
    (tmp_path / "pytest.ini").write_text("[pytest]\nbulkhead_systems = systems\n")
    done = project(PACKED)
    assert done.returncode == 0, done.stdout
