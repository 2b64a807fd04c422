# SPDX-License-Identifier: MIT
"""Our guests' binaries boot natively, too, and print the same there as in a VM, time stamps apart."""

import re

import pytest

from bulkhead import qemu
from bulkhead.paths import build_folder

_STAMP = re.compile(r"^\[\d+\.\d{6}\] ")


def native(name):
    """The very file that the packer puts into a VM, on the plain board."""
    return qemu.Bare(build_folder() / "partitions" / name / f"{name}.img", cpus=2)


def checks(text):
    """The lines up to `ready`, without time stamps and without what they say of the machine."""
    lines = [_STAMP.sub("", line.rstrip("\r")) for line in text.splitlines()]
    kept = [line for line in lines if line and ": dt " not in line]
    return kept[: 1 + next(i for i, line in enumerate(kept) if ": ready" in line)]


@pytest.mark.parametrize("name", ["ticker", "pair"])
def test_a_guest_prints_natively_what_it_prints_in_a_vm(machine, name):
    machine.boot(native(name), timeout=120)
    machine.expect(f"{name}: ready", "core")
    alone = checks(machine.streams["core"].text)
    machine.boot("idle", timeout=120)
    machine.expect(f"{name}: ready", name)
    assert checks(machine.streams[name].text) == alone
    assert "FAILED" not in "\n".join(alone)


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
