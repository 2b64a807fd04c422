# SPDX-License-Identifier: MIT
"""The command line: help, exit statuses, no traceback; the launcher on a machine that has nothing."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from bulkhead.errors import Place, UserError
from bulkhead.hosttests import count_cases
from bulkhead.packages import listed
from bulkhead.paths import CHECKOUT

LAUNCHER = CHECKOUT / "tools" / "bulkhead"


def bulkhead(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LAUNCHER, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, **options
    )


@pytest.mark.parametrize(
    "command",
    ["", "run", "test", "setup", "doctor", "lint", "symbolize"],
    ids=lambda name: name or "top",
)
def test_help_teaches(command):
    done = bulkhead(*filter(None, [command]), "--help")
    assert done.returncode == 0 and "Usage: bulkhead" in done.stdout
    if command in ("", "run", "test", "symbolize"):
        assert "tools/bulkhead" in done.stdout, "an example"


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["run", "nowhere"], "there is no system 'nowhere'"),
        (["run", "nowhere.toml"], "there is no file nowhere.toml"),
        (["run", "../x"], "there is no system '../x'"),
        (["run", "--smp", "9"], "9 is not in the range 1<=x<=8"),
        (["run", "--until", "u-boot:("], "is no regular expression"),
        (["run", "--timeout", "-1"], "-1.0 is not in the range"),
        (["test", "nowhere/test_x.py"], "there is no file or folder nowhere/test_x.py"),
        (["symbolize", "nowhere.log"], "nowhere.log"),
        (["fly"], "No such command 'fly'"),
    ],
)
def test_a_mistake_is_one_message_and_status_2(arguments, message, tmp_path):
    done = bulkhead(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_symbolize_of_a_healthy_log(tmp_path):
    (tmp_path / "log").write_text("[0.000001] core: boot\n")
    done = bulkhead("symbolize", str(tmp_path / "log"))
    assert (done.returncode, done.stdout) == (0, "bulkhead: there is no panic in this log\n")


def test_own_tests_are_counted_in_the_last_line(tmp_path):
    (tmp_path / "test_own.py").write_text(
        "import pytest\ndef test_a(): pass\ndef test_b(): assert 0\n"
        "@pytest.mark.slow\ndef test_c(): pass\n@pytest.mark.skip\ndef test_d(): pass\n"
    )
    done = bulkhead("test", str(tmp_path))
    assert done.returncode == 1
    failed, *rest = done.stdout.splitlines()[-3:]
    assert failed.endswith("test_own.py::test_b")  # as the command takes it
    assert rest == ["1 skipped", "2 passed, 1 failed"]
    done = bulkhead("test", "test_own.py", "--quick", "-k", "test_a or test_c", cwd=tmp_path)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 passed, 0 failed")
    done = bulkhead("test", "test_own.py", "-k", "nothing", cwd=tmp_path)
    assert done.returncode == 2 and "no test was chosen" in done.stderr


def test_the_message_of_a_mistake_says_where_and_how_to_mend_it():
    error = UserError(
        "guest0 and guest1 overlap",
        code="overlap",
        file=Path("system.toml"),
        line=12,
        hint="move one",
        also=[Place(Path("system.toml"), 20, "guest1")],
    )
    assert error.render().splitlines() == [
        "system.toml:12: error[overlap]: guest0 and guest1 overlap",
        "  see also system.toml:20: guest1",
        "  hint: move one",
    ]


def test_catch2_cases_are_counted():
    good = '<TestCase name="a"><OverallResult success="true"/></TestCase>'
    bad = '<TestCase name="b"><OverallResult success="false"/></TestCase>'
    cut = '<TestCase name="c"/>'
    tally = count_cases("unit", f"<Catch><Group>{good}{bad}{cut}</Group></Catch>")
    assert (tally.passed, tally.failed) == (1, 2)
    assert tally.failures == ["unit: b", "unit: c"]
    assert count_cases("unit", "<Catch><Group>") is None


def test_errors_around_a_test_are_failures(tmp_path):
    (tmp_path / "test_end.py").write_text(
        "import pytest\n@pytest.fixture\ndef f():\n    yield\n    assert 0\ndef test_a(f): pass\n"
    )
    (tmp_path / "test_import.py").write_text("import nonsense_that_is_not_there\n")
    done = bulkhead("test", ".", cwd=tmp_path)
    assert done.returncode == 1
    *_, first, second, last = done.stdout.splitlines()
    assert {first, second} == {"failed: test_import.py", "failed: test_end.py::test_a"}
    assert last == "0 passed, 2 failed"


@pytest.fixture
def bare(tmp_path):
    """A PATH without python3, with an apt-get that only writes down what it was told."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("sh", "dirname", "readlink", "sed", "tr", "cat", "env"):
        (folder / tool).symlink_to(shutil.which(tool))
    return folder


def script(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text("#!/bin/sh\n" + text)
    (folder / name).chmod(0o755)


def launch_bare(bare: Path) -> subprocess.CompletedProcess[str]:
    text = LAUNCHER.read_text().replace("/usr/bin/python3", "/nonexistent/python3")
    tools = bare.parent / "tools"
    tools.mkdir()
    (tools / "bulkhead").write_text(text)
    (tools / "bulkhead").chmod(0o755)
    shutil.copy(CHECKOUT / "tools" / "packages.txt", tools)
    return subprocess.run(
        [shutil.which("sh"), str(tools / "bulkhead"), "run"],
        env={"PATH": str(bare)},
        capture_output=True,
        text=True,
    )


def test_without_python_a_user_gets_the_exact_line(bare):
    script(bare, "id", "echo 1000\n")
    script(bare, "apt-get", "exit 1\n")
    done = launch_bare(bare)
    assert done.returncode == 2
    names = " ".join(package.name for package in listed())
    line = f"apt-get update && apt-get install -y --no-install-recommends {names}"
    assert line in done.stderr.splitlines()


def test_without_python_root_installs_and_says_so_first(bare):
    script(bare, "id", "echo 0\n")
    script(bare, "apt-get", 'echo "apt-get $*"\n')
    done = launch_bare(bare)
    names = " ".join(package.name for package in listed())
    assert done.stderr.splitlines()[:3] == [
        f"bulkhead: installing with apt-get: {names}",
        "apt-get update",
        f"apt-get install -y --no-install-recommends {names}",
    ]
    assert done.returncode == 2, "this apt-get installs nothing"


def test_without_apt_get_the_packages_are_named(bare):
    done = launch_bare(bare)
    assert done.returncode == 2 and "python3-pyelftools" in done.stderr


def test_the_launcher_is_plain_sh():
    assert LAUNCHER.read_text().startswith("#!/bin/sh\n")
    assert LAUNCHER.stat().st_mode & stat.S_IXUSR
    checked = subprocess.run(
        ["dash", "-n", LAUNCHER] if shutil.which("dash") else ["sh", "-n", LAUNCHER]
    )
    assert checked.returncode == 0
    assert os.access(LAUNCHER, os.X_OK)
