# SPDX-License-Identifier: MIT
"""What native partitions write into EL1 registers is theirs, whoever runs between them: others, guests, what crashes."""

from __future__ import annotations

import re

import pytest
from checks import faults, run_checks

from bulkhead.harness import Harness

VMS = ["one", "two"]
# EC of the exception, by what crasher does; without one it is the core's own fault, of stage 2.
CLASSES = {
    "svc": 0x15,
    "udf": 0x00,
    "brk": 0x3C,
    "load-beyond": 0x25,
    "store-beyond": 0x25,
    "branch-beyond": 0x21,
    "branch-misaligned": 0x22,
    "load-unmapped": None,
    "branch-unmapped": None,
    "branch-vectors": None,  # where an exception would have gone
}


def expect_rounds(machine: Harness) -> None:
    """Each victim compares its registers a thousand times more, and has never found a change."""
    for vm in VMS:
        machine.expect("rounds", vm)
        assert "CORRUPT" not in machine.streams[vm].text
        last = re.findall(r"rounds (\d+) corruptions", machine.streams[vm].text)[-1]
        machine.expect(f"rounds {int(last) + 1024} corruptions 0", vm)


@pytest.mark.parametrize("cpu", ["cortex-a72", "cortex-a76"])
def test_marks_in_registers_reach_nobody(machine: Harness, cpu: str) -> None:
    run_checks(machine, "unconfined", cpu=cpu, least=20)
    expect_rounds(machine)
    assert not faults(machine)


@pytest.mark.parametrize("cpu", ["cortex-a72", "max"])
def test_a_service_that_crashes_keeps_its_guests_registers(machine: Harness, cpu: str) -> None:
    machine.boot("crashes", cpu=cpu, timeout=120)
    machine.expect(event="done", source="crasher", crashes=3 * len(CLASSES))
    expect_rounds(machine)
    crashes = machine.events("crash", source="crasher")
    seen = [event for event in machine.events() if event.name.startswith("fault.")]
    assert len(seen) == len(crashes) and faults(machine) == {"crasher"}
    for crash, fault in zip(crashes, seen):
        expected = CLASSES[crash.keys["kind"]]
        what = f"{crash.line}\n{fault.line}"
        if expected is None:
            assert fault.name == "fault.stage2", what
        else:
            assert fault.name == "fault.exception", what
            assert fault.number("esr_el1") >> 26 == expected, what
    assert not machine.events("escaped"), "through a guest's vectors"
    assert not machine.events("survived")
    lost = machine.events("unanswered", source="between")
    assert len(lost) >= len(CLASSES)
    assert {event.keys["status"] for event in lost} == {"server_fault"}
