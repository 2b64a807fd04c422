# SPDX-License-Identifier: MIT
"""docs/write-a-service.md, followed to the letter in a folder outside the tree: files, commands, what one then sees."""

import os
import re
import subprocess

import pytest

from bulkhead.paths import CHECKOUT

DOCUMENT = (CHECKOUT / "docs" / "write-a-service.md").read_text()
FILES = re.compile(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SESSION = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(command, folder):
    """As a newcomer's shell would, in whose environment nothing is of the tests."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    environment = {**kept, "BULKHEAD": str(CHECKOUT)}
    return subprocess.run(
        ["sh", "-ec", command], cwd=folder, env=environment, capture_output=True, text=True
    )


@pytest.fixture
def folder(tmp_path):
    """The document's files, and its service compiled by the first of its commands."""
    for name, text in FILES.findall(DOCUMENT):
        (tmp_path / name).write_text(text)
    done = run(COMMANDS.findall(DOCUMENT)[0], tmp_path)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")  # not even a warning
    return tmp_path


def test_the_document_has_what_this_test_follows():
    assert [name for name, _ in FILES.findall(DOCUMENT)] == [
        "counter.cpp",
        "system.toml",
        "test_counter.py",
    ]
    assert len(COMMANDS.findall(DOCUMENT)) == 3
    assert len(SESSION.findall(DOCUMENT)) == 1


def test_the_session_in_the_document_is_what_one_sees(machine, folder):
    machine.boot(folder / "system.toml", timeout=120)
    machine.expect(event="counter.start", clients=1)
    machine.expect("Hit any key", "guest")
    machine.send("guest", "\r")
    for line in SESSION.findall(DOCUMENT)[0].splitlines():
        prompt, typed = re.fullmatch(r"(.*(?:=>|\?) )(.*)", line).groups()
        machine.expect(re.compile("^" + re.escape(prompt) + "$"), "guest")
        machine.send("guest", typed + "\r")


def test_its_commands_succeed(folder):
    for command in COMMANDS.findall(DOCUMENT)[1:]:
        done = run(command, folder)
        assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "1 passed, 0 failed"
