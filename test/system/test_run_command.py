# SPDX-License-Identifier: MIT
"""`tools/bulkhead run` as a user types it, with real QEMU: what it prints, how it ends, the terminal it gives back."""

import os
import re
import signal
import subprocess
import termios
from pathlib import Path

import pexpect
import pytest

from bulkhead.paths import CHECKOUT, core_elf

BULKHEAD = str(CHECKOUT / "tools" / "bulkhead")
BOOT_S = 120
ONE_VM = """
[system]
board = "qemu-virt"

[service.console]
[service.uart]
[service.timer]
[service.gic]
[service.lifecycle]

[vm.ticker]
image = "@ticker"
ram_mib = 16
policy = "end"
"""


def run(*arguments, **options):
    """Without a terminal. The last line of stderr is the reason."""
    command = [BULKHEAD, "run", *map(str, arguments)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options
    )
    return done, done.stderr.splitlines()[-1]


def test_the_demo_shows_what_it_promises_within_two_minutes():
    """The UART polled and by interrupt, both timers, SGIs both ways, U-Boot's prompt; without a terminal it only streams."""
    patterns = [
        "ticker:uart polled tx ok$",
        "ticker:uart irq tx ok$",
        "ticker:cntv ok$",
        "ticker:cntp ok$",
        r"pair:sgi rounds=(\d+) pings=\1 pongs=\1 ok$",
        "u-boot:^=> $",
    ]
    until = [word for pattern in patterns for word in ("--until", pattern)]
    done, reason = run(*until, "--timeout", BOOT_S)
    assert (done.returncode, reason) == (0, "bulkhead: all patterns matched"), done.stdout
    assert "\x1b" not in done.stdout
    tagged = re.compile(r"(core|console|lifecycle|uart|timer|gic|ticker|pair|u-boot) +\| ")
    assert [line for line in done.stdout.splitlines() if not tagged.match(line)] == []
    assert done.stderr.splitlines() == [reason]


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["nowhere"], "there is no system 'nowhere'"),
        (["bad.toml"], "bad.toml:3: error"),
        (["idle", "--smp", "0"], "0 is not in the range 1<=x<=8"),
        (["idle", "--until", "("], "no regular expression"),
        (["idle", "--until", "uboot:x"], "there is no partition 'uboot'"),
    ],
)
def test_the_users_mistake_is_2(arguments, said, tmp_path):
    (tmp_path / "bad.toml").write_text('[system]\nboard = "qemu-virt"\ncores = = 1\n')
    done, _ = run(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr and done.stdout == ""


def test_a_qemu_that_refuses_its_arguments_is_3():
    done, reason = run("idle", "--qemu-arg=-bogus")
    assert done.returncode == 3
    assert reason.startswith("bulkhead: QEMU failed with status 1: ") and "-bogus" in reason


def test_a_missing_qemu_is_3_and_says_how_to_get_it(tmp_path):
    for tool in Path("/usr/bin").iterdir():
        if not tool.name.startswith("qemu-"):
            (tmp_path / tool.name).symlink_to(tool)
    done, _ = run("idle", env={**os.environ, "PATH": str(tmp_path)})
    assert done.returncode == 3
    assert done.stderr == (
        "error: cannot start qemu-system-aarch64: No such file or directory\n"
        "  hint: run `tools/bulkhead setup`\n"
    )


def test_a_panic_is_1_with_its_frames(tmp_path):
    done, _ = run_panic(tmp_path)
    assert done.returncode == 1
    frames, reason = done.stderr.splitlines()[-4:-1], done.stderr.splitlines()[-1]
    assert "vcpu_control" in frames[0] and " at kernel/hypercall/vcpu.cpp:" in frames[0]
    assert reason.startswith("bulkhead: the core panicked: ") and 'violated="exception' in reason


def run_panic(tmp_path):
    """`idle` with an undefined instruction in the core's own code."""
    image = tmp_path / "panic.img"
    subprocess.run([BULKHEAD, "pack", "idle", "-o", image], check=True, capture_output=True)
    names = subprocess.run(["aarch64-linux-gnu-nm", core_elf()], capture_output=True, text=True)
    (address,) = re.findall(r"(\w+) T \w*hypercall12vcpu_control\w*", names.stdout)
    data = bytearray(image.read_bytes())
    at = int(address, 16) - 0x4020_0000
    data[at : at + 4] = bytes(4)
    image.write_bytes(data)
    return run("idle", "--qemu-arg=-kernel", f"--qemu-arg={image}")


@pytest.fixture
def terminal(tmp_path):
    """`run` on a terminal."""
    children = []

    def start(*arguments):
        child = pexpect.spawn(
            BULKHEAD,
            ["run", *map(str, arguments)],
            timeout=BOOT_S,
            encoding="utf-8",
            dimensions=(50, 120),
        )
        child.delaybeforesend = None
        children.append(child)
        child.expect("p lifecycle's prompt, q quit")
        return child

    yield start
    for child in children:
        child.close(force=True)


def ended(child, status):
    """The run is over with `status`, its terminal as before; gives what it said last."""
    child.expect(r"\nbulkhead: ([^\r\n]+)\r\n$")  # its notes before are bold
    reason = child.match[1]
    flags = termios.tcgetattr(child.child_fd)[3]
    assert flags & termios.ICANON and flags & termios.ECHO and flags & termios.ISIG
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == status, reason
    return reason


def press(child, key):
    """The escape key, then `key`."""
    child.send("\x1c" + key)


def test_a_session_on_a_terminal(terminal):
    child = terminal("idle")
    child.expect("ticker: ready")
    assert not termios.tcgetattr(child.child_fd)[3] & termios.ICANON
    press(child, "?")
    child.expect(r"streams 1=console .*(\d)=ticker (\d)=pair")
    press(child, child.match[1])
    child.expect("the keys go to ticker")
    child.send("hello\r")
    child.expect("echo: hello")
    press(child, "p")
    child.expect("the keys go to lifecycle")
    child.send("list\r")
    child.expect(r"ticker .* running")
    child.expect("bulkhead> ")
    child.send("\x03poweroff\r")  # Ctrl-C is a key like any other
    assert "reason=poweroff" in ended(child, 0)


def test_the_quit_key_ends_the_run(terminal):
    child = terminal("idle")
    press(child, "q")
    assert ended(child, 0) == "quit by the key"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_gives_the_terminal_back_and_leaves_no_qemu(terminal, number):
    child = terminal("idle")
    child.expect("ticker: hello")
    (qemu,) = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
    assert "qemu" in Path(f"/proc/{qemu}/cmdline").read_text()
    os.kill(child.pid, number)
    assert ended(child, 1) == f"ended by {number.name}"
    assert not Path(f"/proc/{qemu}").exists()


def test_the_policy_end_is_1_and_says_which_fault(terminal, tmp_path):
    (tmp_path / "one.toml").write_text(ONE_VM)
    child = terminal(tmp_path / "one.toml")
    child.expect("ticker: ready")
    press(child, "?")
    child.expect(r"streams 1=console .*(\d)=ticker")
    press(child, child.match[1])
    child.send("fault\r")
    reason = ended(child, 1)
    assert "machine: off reason=policy partition=ticker after lifecycle: fault." in reason
