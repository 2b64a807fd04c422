# SPDX-License-Identifier: MIT
"""Linux VMs for tests: their description, and a shell that a test can talk to."""

import re
from pathlib import Path

from bulkhead.bench_linux import KERNEL

INITRD = Path(__file__).parents[1] / "systems" / "linux" / "initramfs.list"
BOOT_S = 180

_HEAD = """[system]
board = "qemu-virt"
cores = {cores}
[service.console]
[service.uart]
[service.timer]
[service.gic]
[service.lifecycle]
"""
BOOTARGS = "console=ttyAMA0 cryptomgr.notests"


def vm(name, cores, *more, initrd=INITRD, bootargs=BOOTARGS, ram_mib=192):
    """A [vm] table; `more` are further lines of it."""
    return "\n".join(
        (
            f"[vm.{name}]",
            f'image = "{KERNEL}"',
            f'initrd = "{initrd}"',
            f'bootargs = "{bootargs}"',
            f"ram_mib = {ram_mib}",
            f"cores = {list(cores)}",
            *more,
            "",
        )
    )


def describe(cores, *tables):
    return _HEAD.format(cores=cores) + "".join(tables)


class Shell:
    """A VM's shell: one command at a time, its output and its status."""

    def __init__(self, machine, name):
        self.machine, self.name, self.number = machine, name, 0

    def up(self, timeout=BOOT_S):
        """Waits for a (new) shell. Only a panic is printed from then on: another message, as of a timer that the
        test's own machine kept waiting, would be taken for a command's output."""
        self.machine.expect(re.compile(r"^init: up after"), self.name, timeout=timeout)
        self.machine.expect(re.compile(r"^/ # $"), self.name, timeout=timeout)
        self.run("dmesg -n 1")
        return self

    def run(self, command, timeout=60):
        """What the command prints; it must succeed."""
        __tracebackhide__ = True
        self.start(command)
        return self.finish(timeout)

    def start(self, command):
        # The mark is written in two parts, so that the echo of the command is not taken for it.
        self.number += 1
        self.machine.send(
            self.name, f"echo m'ark' {self.number}; {command}; echo m'ark' {self.number}=$?\n"
        )

    def finish(self, timeout=60):
        __tracebackhide__ = True
        found = self.machine.expect(
            re.compile(rf"^mark {self.number}\r?$(.*?)^mark {self.number}=(\d+)\r?$", re.DOTALL),
            self.name,
            timeout=timeout,
        )
        assert found[2] == "0", found[0]
        return found[1].replace("\r", "").strip("\n")
