# SPDX-License-Identifier: MIT
"""A Linux VM's VirtIO console: a shell, much output and input to the byte, its service killed meanwhile, the VM reset."""

import hashlib
import re

import pytest
from checks import faults
from linux_shell import BOOTARGS, Shell

from bulkhead.bench_linux import KERNEL
from bulkhead.paths import SYSTEMS

HVC0 = "linux.hvc0"
INITRD = SYSTEMS / "linux" / "initramfs.list"
SIZE = 256 << 10
BOOT_S = 40
SYSTEM = f"""[system]
board = "qemu-virt"
cores = 2
[service.console]
[service.uart]
[service.virtio-console]
restarts = 20
[service.virtio-console.properties]
[service.timer]
[service.gic]
[service.lifecycle]
[vm.linux]
image = "{KERNEL}"
initrd = "{INITRD}"
bootargs = "{BOOTARGS}"
ram_mib = 192
cores = [0, 1]
virtio_console = true
"""
# Numbers that no two places share, without a newline.
LAST = SIZE // 6
PATTERN = ".".join(f"{number:05}" for number in range(LAST + 1))


@pytest.fixture
def boot(machine, tmp_path):
    """Boots with these properties of the service; gives the VM's shell on the UART."""

    def booted(bootargs=BOOTARGS, **properties):
        head = "[service.virtio-console.properties]"
        lines = [f"{key} = {value!r}" for key, value in properties.items()]
        description = tmp_path / "system.toml"
        text = SYSTEM.replace(head, "\n".join([head, *lines]))
        description.write_text(text.replace(BOOTARGS, bootargs))
        machine.boot(description, timeout=BOOT_S)
        shell = Shell(machine, "linux").up()
        machine.expect(re.compile(r"^/ # $"), HVC0, timeout=BOOT_S)
        return shell

    return booted


def send_much(shell):
    """A program writes the pattern to hvc0, whose shell stands still."""
    shell.run("kill -STOP $(ps -o pid,tty | awk '$2 == \"229,0\" {print $1}')")
    shell.run("stty -F /dev/hvc0 raw -echo")
    shell.start(
        f"seq -w -s . 0 {LAST} | tr -d '\\n' >/tmp/all; md5sum </tmp/all; cat /tmp/all >/dev/hvc0"
    )


def check_much(machine, shell):
    """All of it came, in order, once; nothing behind it."""
    digest = hashlib.md5(PATTERN.encode()).hexdigest()
    assert digest in shell.finish(timeout=BOOT_S)
    machine.expect(PATTERN[-64:], HVC0, timeout=BOOT_S)
    text = machine.streams[HVC0].raw.decode()
    assert text[text.index(PATTERN[:64]) :] == PATTERN


def test_a_shell_on_hvc0(machine):
    machine.boot("linux", timeout=BOOT_S)
    machine.expect(re.compile(r"^/ # $"), HVC0, timeout=BOOT_S)
    machine.send(HVC0, "echo $((6 * 7)) on $(tty)\n")
    machine.expect("42 on /dev/hvc0", HVC0)
    machine.send("linux", "echo $((6 * 7)) beside it\n")
    machine.expect("42 beside it", "linux")
    assert not faults(machine)


def test_much_output_is_right_to_the_byte(machine, boot):
    shell = boot()
    send_much(shell)
    check_much(machine, shell)
    # Linux finds by itself that its buffers are used, and is not interrupted for that.
    interrupts = shell.run("grep virtio /proc/interrupts | awk '{print $2 + $3}'")
    assert int(interrupts) < 100, interrupts


def test_much_input_is_right_to_the_byte(machine, boot):
    shell = boot()
    text = PATTERN[: 32 << 10]
    shell.run("kill -STOP $(ps -o pid,tty | awk '$2 == \"229,0\" {print $1}')")
    shell.run("stty -F /dev/hvc0 raw -echo")
    shell.start(f"dd if=/dev/hvc0 of=/tmp/in bs=1 count={len(text)} 2>/dev/null; md5sum </tmp/in")
    machine.send(HVC0, text)
    assert hashlib.md5(text.encode()).hexdigest() in shell.finish(timeout=BOOT_S)


@pytest.mark.parametrize(
    "point",
    [
        "each",
        *(
            pytest.param(point, marks=pytest.mark.slow)
            for point in ("copied", "sent", "committed", "told")
        ),
    ],
)
def test_output_survives_kills(machine, boot, point):
    """Ten times, in the middle of its work for the driver."""
    shell = boot(fault_at=5, fault_times=10, fault_point=point)
    send_much(shell)
    check_much(machine, shell)
    assert len(machine.events("partition.restart", partition="virtio-console")) == 10
    assert faults(machine) <= {"virtio-console"}


@pytest.mark.parametrize(
    "point",
    [
        "committed",
        *(pytest.param(point, marks=pytest.mark.slow) for point in ("copied", "told")),
    ],
)
def test_input_survives_kills(machine, boot, point):
    shell = boot(fault_at=3, fault_times=10, fault_point=point, fault_queue="receive")
    for number in range(30):
        machine.send(HVC0, f"echo '<{number}-'$((6 * 7))'-{number}>'\n")
        machine.expect(f"<{number}-42-{number}>", HVC0)
    assert len(machine.events("partition.restart", partition="virtio-console")) == 10
    text = machine.streams[HVC0].text
    assert [text.count(f"<{number}-42-{number}>") for number in range(30)] == [1] * 30
    assert shell.run("echo well") == "well"
    assert faults(machine) <= {"virtio-console"}


def test_restarts_by_hand_under_output(machine, boot):
    shell = boot()
    send_much(shell)
    for count in range(1, 11):
        machine.send("lifecycle", "restart virtio-console\r")
        machine.expect(event="partition.restart", partition="virtio-console", count=count)
    check_much(machine, shell)
    assert not faults(machine)


def test_the_console_is_new_after_a_reset_of_the_vm(machine, boot):
    """Though the VM went off in the middle of its output."""
    shell = boot()
    shell.start("seq 1000000 >/dev/hvc0 & sleep 1; reboot -f")
    machine.expect(re.compile(r"vm\.reset.*vm\.start", re.DOTALL), "lifecycle")
    Shell(machine, "linux").up()
    machine.send(HVC0, "echo new $((6 * 7))\n")
    machine.expect("new 42", HVC0)
    assert not machine.events("driver.mistake") and not faults(machine)


def test_a_driver_that_errs_hurts_only_itself(machine, boot):
    """It makes a queue of three descriptors; all else goes on, and the VM's next start mends it."""
    shell = boot(bootargs=f"{BOOTARGS} iomem=relaxed")
    base = 0x0A00_0000
    mistake = [(0x30, 1), (0x44, 0), (0x38, 3), (0x44, 1)]  # select, not ready, size, ready
    for _ in range(2):
        for offset, value in mistake:
            shell.run(f"devmem {base + offset:#x} 32 {value}")
        assert int(shell.run(f"devmem {base + 0x70:#x} 32"), 16) & 0x40
        shell.run(f"devmem {base + 0x70:#x} 32 0")
    machine.expect(event="driver.mistake", vm="linux", what="queue")
    shell.start("reboot -f")
    Shell(machine, "linux").up()
    machine.send(HVC0, "echo new $((6 * 7))\n")
    machine.expect("new 42", HVC0)
    assert len(machine.events("driver.mistake")) == 1, "one line for each start of the VM"
    assert not faults(machine)
