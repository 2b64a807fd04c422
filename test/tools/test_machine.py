# SPDX-License-Identifier: MIT
"""The QEMU process and the fixture `machine`, with tiny programs in the place of a system."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest
from fakes import fake_image

from bulkhead import qemu
from bulkhead.errors import MachineError
from bulkhead.framed import encode
from bulkhead.harness import Unexpected
from bulkhead.machine import Machine

NAMES = encode(0, b"streams 1=core 2=guest0 3=ticker\nfocus 2\n")
OFF = b"[  0.500000] machine: off reason=poweroff\n"


def test_expect_reads_on_from_the_last_match(machine, tmp_path):
    blob = NAMES + encode(3, b"tick 1\r\ntick 2\r\n") + encode(1, OFF)
    machine.boot(fake_image(tmp_path, blob))
    assert machine.expect(re.compile(r"^tick (\d+)$"), partition="ticker")[1] == "1"
    assert machine.expect(re.compile(r"^tick (\d+)$"), "ticker")[1] == "2"
    assert machine.wait_off() == "poweroff"
    assert machine.streams["ticker"].text == "tick 1\ntick 2\n"
    with pytest.raises(Unexpected, match="expected 'tick 3' in ticker, but: .*reason=poweroff"):
        machine.expect("tick 3", "ticker")


def test_events_are_found_once_and_in_any_order(machine, tmp_path):
    fault = b"[  0.000100] core: fault.stage2 partition=guest0 ipa=0x80000000 access=write\n"
    machine.boot(
        fake_image(tmp_path, NAMES + encode(1, b"[0.000001] core: boot cores=1\n" + fault + OFF))
    )
    event = machine.expect(event="fault.stage2", partition="guest0", ipa=0x80000000)
    assert event.keys["access"] == "write" and event.time_us == 100
    machine.expect(event="boot", cores=1)
    machine.wait_off()
    assert [event.name for event in machine.events()] == ["boot", "fault.stage2", "off"]
    assert len(machine.events("fault.stage2", ipa=0x80000000)) == 1
    with pytest.raises(Unexpected):
        machine.expect(event="fault.stage2")


def test_send_is_framed_and_lossless(machine, tmp_path):
    machine.boot(fake_image(tmp_path, NAMES + encode(2, b"=> "), then="echo"))
    machine.expect("=> ", "guest0")
    text = "".join(f"line {number}\n" for number in range(300))
    machine.send("ticker", text)
    wire = encode(3, text.encode())
    machine.expect("line 299\n", "guest0")
    # The program sends back every byte as it came: the frames' own bytes, too.
    assert bytes(machine.streams["guest0"].raw) == b"=> " + wire


def test_deterministic_time_is_an_option(tmp_path):
    command = qemu.command(fake_image(tmp_path, b""), qemu.Options("max", 2, True, ("-d", "int")))
    text = " ".join(command)
    assert "-cpu max -smp 2 -m 128M" in text and text.endswith("-d int")
    assert "-icount shift=0,sleep=off -seed 1 -rtc base=2026-01-01,clock=vm" in text


def test_a_plain_serial_line(machine, tmp_path):
    machine.boot(fake_image(tmp_path, b"hello\r\n", then="echo"))
    machine.expect("hello", "core")
    machine.send_raw("x")
    machine.expect("x", "stream2")


def test_a_firmware_may_load_the_image(tmp_path):
    command = qemu.command(
        fake_image(tmp_path, b""), qemu.Options(kernel=False, extra=("-bios", "x"))
    )
    assert "-kernel" not in command and command[-2:] == ["-bios", "x"]


def test_an_endless_talker_can_be_stopped(machine, tmp_path):
    machine.boot(fake_image(tmp_path, b"talk\n" * 100_000, then="spin"))
    machine.expect("talk", "core")
    machine.stop()


def test_a_panic_ends_the_wait(machine, tmp_path):
    blob = NAMES + b"core: panic cpu=0 what=assert\ncore: panic end\n"
    machine.boot(fake_image(tmp_path, blob, then="spin"), may_panic=False)
    with pytest.raises(Unexpected, match="core: panic cpu=0 what=assert"):
        machine.expect("never", "ticker")
    assert machine.unexpected_panic
    machine.boot(fake_image(tmp_path, NAMES, then="spin"))  # this one is well


def test_big_output_is_lossless(machine, tmp_path):
    data = bytes(range(32, 127)) * 3000
    machine.boot(fake_image(tmp_path, NAMES + encode(3, data) + encode(1, OFF)))
    machine.wait_off()
    assert bytes(machine.streams["ticker"].raw) == data


def test_a_program_that_is_not_there():
    with pytest.raises(MachineError, match="cannot start /nonexistent/qemu"):
        Machine(["/nonexistent/qemu"]).start()


def test_qemus_complaint_is_kept():
    with Machine(["qemu-system-aarch64", "-M", "nonsense"]) as machine:
        assert machine.status(timeout=20) == 1
        assert "nonsense" in machine.complaints() or "unsupported machine" in machine.complaints()


def test_qemu_does_not_outlive_its_parent(tmp_path):
    fake = fake_image(tmp_path, b"", then="spin")
    program = (
        "import sys, time\nfrom bulkhead.machine import Machine\n"
        f"machine = Machine({qemu.command(fake)!r})\nmachine.start()\n"
        "print(machine._process.pid, flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as parent:
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    for _ in range(100):
        try:
            os.kill(child, 0)
            with open(f"/proc/{child}/stat") as stat:
                if stat.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return
        except (ProcessLookupError, FileNotFoundError):
            return
        time.sleep(0.05)
    pytest.fail("QEMU is still there")
