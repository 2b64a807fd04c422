# SPDX-License-Identifier: MIT
"""Lint, doctor and the CI script."""

import os
import shlex
import shutil
import subprocess

import pytest

from bulkhead import doctor, lint
from bulkhead.paths import CHECKOUT

FLAGS = (
    "-std=c++20 -ffreestanding -mgeneral-regs-only -mno-outline-atomics -fno-pie -no-pie -Werror"
)
FLAGS += " -fno-eliminate-unused-debug-symbols -fno-eliminate-unused-debug-types"


def entry(compiler: str, file) -> dict[str, str]:
    return {
        "directory": "/",
        "file": str(file),
        "command": f"{compiler} {FLAGS} -c {file}",
    }


def test_clang_tidy_looks_at_the_cross_sources_of_kernel_and_services_once():
    inside = CHECKOUT / "kernel" / "x.cpp"
    service = CHECKOUT / "services" / "y.cpp"
    others = [
        entry("c++", CHECKOUT / "kernel" / "host.cpp"),
        entry("aarch64-linux-gnu-g++", CHECKOUT / "partitions" / "z.cpp"),
        entry("aarch64-linux-gnu-gcc", CHECKOUT / "kernel" / "entry.S"),
    ]
    cross = [entry("aarch64-linux-gnu-g++", path) for path in (service, inside, inside)]
    found = lint._database([*others, *cross])
    assert [each["file"] for each in found] == [str(inside), str(service)]
    words = shlex.split(found[0]["command"])
    assert words[:2] == ["clang++", "--target=aarch64-linux-gnu"]
    assert not set(words) & set(lint._UNKNOWN_TO_CLANG)


@pytest.mark.slow
def test_clang_tidy_reads_gccs_cross_headers_and_remembers_what_passed(tmp_path):
    (tmp_path / ".clang-tidy").write_text(
        "Checks: '-*,modernize-use-nullptr'\nWarningsAsErrors: '*'\n"
    )
    source = tmp_path / "x.cpp"
    database = tmp_path / "compile_commands.json"
    command = f"clang++ --target=aarch64-linux-gnu -std=c++20 -ffreestanding -c {source}"
    one = {"directory": str(tmp_path), "file": str(source), "command": command}
    database.write_text(
        f'[{{"directory": "{tmp_path}", "file": "{source}", "command": "{command}"}}]'
    )
    source.write_text("#include <atomic>\n#include <span>\nint* pointer = 0;\n")
    assert "use nullptr" in lint._tidy_one(tmp_path, one, "")
    assert not list(tmp_path.glob("*.ok"))
    source.write_text("#include <atomic>\n#include <span>\nint* pointer = nullptr;\n")
    assert lint._tidy_one(tmp_path, one, "") == ""
    assert len(list(tmp_path.glob("*.ok"))) == 1


def test_doctor_names_what_is_missing_or_old(monkeypatch, tmp_path):
    def tool(name: str, says: str) -> None:
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{says}'\n")
        (tmp_path / name).chmod(0o755)

    tool("new", "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)")
    tool("old", "g++ (Debian 10.2.1-6) 10.2.1 20210110")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert doctor._tool("new", "--version", (7, 2)) == doctor.Check("new", "7.2.22")
    assert doctor._tool("old", "--version", (12, 0)).mend == "12.0 or newer is needed"
    assert doctor._tool("bulkhead-none", "--version", (1, 0)).mend == "tools/bulkhead setup"


FAKE = """#!/bin/sh
case $1 in
bench) echo bench "$*" | sed 's/--only [a-z]* //g; s/^bench //' >> log ;;
*) echo "$*" >> log ;;
esac
case $1 in
lint) exit {lint} ;;
bench) exit {bench} ;;
test) echo "3 passed, 0 failed"; exit {test} ;;
esac
"""

BENCH = "bench --compare test/bench/recorded.json --check"


@pytest.mark.parametrize(
    "results, status, calls",
    [
        ((0, 0, 0), 0, ["setup", "lint", BENCH, "test"]),
        ((0, 0, 1), 1, ["setup", "lint", BENCH, "test"]),
        ((1, 0, 1), 1, ["setup", "lint", BENCH, "test --also-failed lint"]),
        ((0, 1, 1), 1, ["setup", "lint", BENCH, "test --also-failed bench"]),
    ],
)
def test_ci_runs_all_and_ends_with_the_tests_last_line(tmp_path, results, status, calls):
    (tmp_path / ".ci").mkdir()
    (tmp_path / "tools").mkdir()
    shutil.copy(CHECKOUT / ".ci" / "run", tmp_path / ".ci")
    fake = tmp_path / "tools" / "bulkhead"
    fake.write_text(FAKE.format(lint=results[0], bench=results[1], test=results[2]))
    fake.chmod(0o755)
    done = subprocess.run([tmp_path / ".ci" / "run"], cwd="/", capture_output=True, text=True)
    assert done.returncode == status
    assert done.stdout.splitlines()[-1] == "3 passed, 0 failed"
    assert (tmp_path / "log").read_text().splitlines() == calls
