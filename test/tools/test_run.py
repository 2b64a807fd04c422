# SPDX-License-Identifier: MIT
"""`bulkhead run`: why it ends and with which status, with and without a terminal."""

import os
import signal
import subprocess
import sys
import termios

import pexpect
import pytest
from fakes import fake_image

from bulkhead import qemu
from bulkhead.framed import encode
from bulkhead.run import run

NAMES = encode(0, b"streams 1=core 2=guest0 3=lifecycle\nfocus 2\n")
PROGRAM = "import sys\nfrom bulkhead.run import run\nfrom bulkhead.until import Until\n"
PROGRAM += "end = run({command!r}, [Until(text) for text in {until!r}], {timeout!r})\n"
PROGRAM += "print('ended:', end.reason, file=sys.stderr)\nsys.exit(end.status)\n"


def boot(tmp_path, blob, then="off", until=(), timeout=30.0, extra=()):
    fake = fake_image(tmp_path, blob, then)
    command = qemu.command(fake, qemu.Options(extra=extra))
    program = PROGRAM.format(command=command, until=until, timeout=timeout)
    return subprocess.run(
        [sys.executable, "-c", program], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def off(reason: bytes) -> bytes:
    return encode(1, b"[  0.100000] machine: off reason=" + reason + b"\n")


def test_an_ordered_end_is_0(tmp_path):
    done = boot(tmp_path, NAMES + encode(2, b"hello\r\n") + off(b"poweroff"))
    assert done.returncode == 0, done.stderr
    assert "guest0     | hello\n" in done.stdout
    assert "reason=poweroff" in done.stderr


@pytest.mark.parametrize("reason", [b"policy partition=guest0", b"panic", b"surprise"])
def test_any_other_reason_is_1(tmp_path, reason):
    done = boot(tmp_path, NAMES + off(reason))
    assert done.returncode == 1
    assert f"reason={reason.decode()}" in done.stderr


def test_matched_patterns_are_0_and_end_it(tmp_path):
    blob = NAMES + encode(2, b"\x1b[1mone\x1b[0m\r\n=> ")
    done = boot(tmp_path, blob, "spin", until=("guest0:^one$", "guest0:^=> $"))
    assert (done.returncode, "all patterns matched" in done.stderr) == (0, True), done.stderr


def test_a_prompt_at_the_very_end_counts(tmp_path):
    done = boot(tmp_path, NAMES + off(b"poweroff") + encode(2, b"=> "), until=("guest0:=> $",))
    assert done.returncode == 0, done.stderr


def test_an_end_before_the_patterns_matched_is_1(tmp_path):
    done = boot(
        tmp_path, NAMES + encode(2, b"one\n") + off(b"poweroff"), until=("one", "guest0:two")
    )
    assert done.returncode == 1
    assert "not matched: 'guest0:two'" in done.stderr and "'one'" not in done.stderr


def test_a_timeout_is_1_and_names_what_is_missing(tmp_path):
    done = boot(tmp_path, NAMES, "spin", until=("guest0:x",), timeout=1.0)
    assert done.returncode == 1
    assert "timeout after 1 s; not matched: 'guest0:x'" in done.stderr


def test_a_panic_is_1_also_if_the_machine_hangs(tmp_path):
    done = boot(tmp_path, NAMES + b"core: panic cpu=0 what=assert\ncore: panic end\n", "spin")
    assert done.returncode == 1
    assert "the core panicked: core: panic cpu=0 what=assert" in done.stderr
    assert "core       | core: panic cpu=0" in done.stdout


def test_a_silent_end_is_3(tmp_path):
    done = boot(tmp_path, NAMES)
    assert done.returncode == 3
    assert "without a `machine: off` line" in done.stderr


def test_qemus_failure_is_3_with_its_words(tmp_path):
    done = boot(tmp_path, b"", extra=("-bogus",))
    assert done.returncode == 3
    assert "QEMU failed with status 1" in done.stderr and "-bogus" in done.stderr


def test_a_missing_qemu_is_a_machine_error():
    with pytest.raises(Exception, match="cannot start") as caught:
        run(["/nonexistent/qemu"])
    assert caught.value.status == 3


COMMAND = """
import sys
sys.path.insert(0, {here!r})
from pathlib import Path
from fakes import fake_image
from bulkhead import build, cli, packages, packing
def pack(system, output):
    print("packing", system.parent.name, "to", output.name, file=sys.stderr)
    return fake_image(Path({folder!r}), {blob!r}, "spin")
build.build = lambda: print("building", file=sys.stderr)
packing.pack = pack
sys.argv[1:] = {arguments!r}
cli.main()
"""


def test_the_command_builds_packs_boots_and_passes_the_options_on(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "system.toml").write_text("")
    arguments = [
        "run",
        str(tmp_path / "own" / "system.toml"),
        "--cpu",
        "max",
        "--smp",
        "2",
        "--icount",
    ]
    arguments += [
        "--until",
        "guest0:hello",
        "--timeout",
        "30",
        "--qemu-arg=-name",
        "--qemu-arg=a b",
    ]
    program = COMMAND.format(
        here=os.path.dirname(__file__),
        folder=str(tmp_path),
        blob=NAMES + encode(2, b"hello\n"),
        arguments=arguments,
    )
    done = subprocess.run(
        [sys.executable, "-c", program], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    steps = ["building", "packing own to system.img", "bulkhead: all patterns matched"]
    assert done.stderr.splitlines() == steps


@pytest.fixture
def console(tmp_path):
    fake = fake_image(tmp_path, NAMES + encode(2, b"=> "), "echo")
    program = PROGRAM.format(command=qemu.command(fake), until=(), timeout=60.0)
    child = pexpect.spawn(sys.executable, ["-c", program], timeout=20, encoding="utf-8")
    child.delaybeforesend = None
    yield child
    child.close(force=True)


def test_keys_go_to_the_focus_and_the_quit_key_ends_it(console):
    console.expect("q quit")
    console.expect("=> ")
    console.send("ab")
    console.expect("\x02a?b")  # the program echoes the frame's own bytes, too
    console.send("\x1cp")
    console.expect("the keys go to lifecycle")
    console.send("\x1c9")
    console.expect("no such stream")
    console.send("\x1c?")
    console.expect("streams 1=core 2=guest0 3=lifecycle")
    console.send("\x03\x1a\x1c\x1c\x1cq")  # neither Ctrl-C nor Ctrl-Z ends it, Ctrl-\ twice neither
    console.expect("ended: quit by the key")
    console.expect(pexpect.EOF)
    console.wait()
    assert console.exitstatus == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_the_terminal_is_given_back_after_a_signal(console, number):
    before = termios.tcgetattr(console.child_fd)
    console.expect("=> ")
    assert termios.tcgetattr(console.child_fd)[3] != before[3]
    os.kill(console.pid, number)
    console.expect(f"ended: ended by {number.name}")
    assert termios.tcgetattr(console.child_fd) == before
    console.expect(pexpect.EOF)
    console.wait()
    assert console.exitstatus == 1
