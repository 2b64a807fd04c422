# SPDX-License-Identifier: MIT
"""The host tests: real Catch2 programs, a crash, and a program that is no Catch2 test."""

import subprocess

import pytest

from bulkhead import hosttests

PROGRAM = """
#include <catch2/catch.hpp>
#include <cstdlib>
TEST_CASE("good") { SECTION("a") { CHECK(true); } SECTION("b") { CHECK(true); } }
#ifdef BAD
TEST_CASE("wrong value") { CHECK(1 + 1 == 3); }
#endif
#ifdef CRASH
TEST_CASE("crash") { std::_Exit(9); }
#endif
"""


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("catch")
    (folder / "unit.cpp").write_text(PROGRAM)
    compiling = []
    for name in ("GOOD", "BAD", "CRASH"):
        command = ["g++", f"-D{name}", "-o", str(folder / name), str(folder / "unit.cpp")]
        compiling.append(subprocess.Popen([*command, "-lCatch2WithMain"]))
    assert [process.wait() for process in compiling] == [0, 0, 0]
    return folder


def run(name: str, *command: str) -> hosttests.Tally:
    return hosttests._run_one({"name": name, "cmd": list(command), "env": {}, "workdir": None})


@pytest.mark.slow
def test_cases_are_counted_and_a_failure_is_shown(programs, capfd):
    good = run("good", str(programs / "GOOD"))
    assert (good.passed, good.failed) == (1, 0)
    bad = run("bad", str(programs / "BAD"))
    assert (bad.passed, bad.failed, bad.failures) == (1, 1, ["bad: wrong value"])
    assert "2 == 3" in capfd.readouterr().out


@pytest.mark.slow
def test_a_crash_is_a_failure(programs):
    crash = run("crash", str(programs / "CRASH"))
    assert crash.failed == 1


def test_any_program_counts_by_its_status():
    assert run("plain", "true").failed == 0
    assert run("plain", "false").failed == 1
    assert run("plain", "/nonexistent/program").failed == 1
