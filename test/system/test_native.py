# SPDX-License-Identifier: MIT
"""Our guests' binaries boot natively, too, and print the same there as in a VM, time stamps apart."""

import re

import pytest

from bulkhead import qemu
from bulkhead.paths import build_folder

_TIME = re.compile(r"(?<=^\[)\d+\.\d{6}(?=\] )|(?<=entered_at=)\d+", re.MULTILINE)


def native(name, cpus=1):
    """The very file that the packer puts into a VM, on the plain board, with as much RAM as the VM."""
    image = build_folder() / "partitions" / name / f"{name}.img"
    return qemu.Bare(image, cpus=cpus, memory_mib=16)


def until_ready(stream):
    """All that it printed, to the byte, up to the line `ready`; without the digits of times."""
    text = _TIME.sub("", stream.raw.decode())
    return text[: text.index("\n", text.index(": ready"))]


@pytest.mark.parametrize(("name", "cpus"), [("ticker", 1), ("pair", 2)])
def test_a_guest_prints_natively_what_it_prints_in_a_vm(machine, name, cpus):
    machine.boot(native(name, cpus), timeout=120)
    machine.expect(f"{name}: ready", "core")
    alone = until_ready(machine.streams["core"])
    machine.boot("idle", timeout=120)
    machine.expect(f"{name}: ready", name)
    assert until_ready(machine.streams[name]) == alone
    assert "FAILED" not in alone
    assert len(alone.splitlines()) > 15


def test_ticker_echoes_natively(machine):
    machine.boot(native("ticker"), timeout=120)
    machine.expect("ticker: ready", "core")
    machine.send_raw("hello\r")
    machine.expect("echo: hello", "core")


def test_ticker_echoes_in_a_vm(machine):
    machine.boot("idle", timeout=120)
    machine.expect("ticker: ready", "ticker")
    machine.send("ticker", "hello\r")
    machine.expect("echo: hello", "ticker")
