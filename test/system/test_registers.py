# SPDX-License-Identifier: MIT
"""No register of docs/registers.md lets a native partition or another VM see or change what a VM has in it."""

from __future__ import annotations

import re

import pytest

from checks import faults

from bulkhead.harness import Harness

CPUS = ["cortex-a72", "max"] + [
    pytest.param(cpu, marks=pytest.mark.slow) for cpu in ("cortex-a53", "cortex-a76", "neoverse-n1")
]
VMS = ["one", "two"]


@pytest.mark.parametrize("cpu", CPUS)
def test_no_register_leaks_or_is_corrupted(machine: Harness, cpu: str) -> None:
    machine.boot("registers", cpu=cpu, timeout=240)
    own: dict[str, set[int]] = {}
    for vm in VMS:
        machine.expect("debug registers 0x0", vm)
        machine.expect("ready", vm)
        for name, value in re.findall(r"register (\w+) (0x[0-9a-f]+)", machine.streams[vm].text):
            own.setdefault(name, set()).add(int(value, 16))
    assert "pmevcntr0_el0" in own and ("apiakeylo_el1" in own) == (cpu == "max")
    assert ("disr_el1" in own) == (cpu in ("cortex-a76", "neoverse-n1"))
    machine.expect(event="done", source="hostile")
    for vm in VMS:
        machine.expect("rounds", vm)
        machine.expect("rounds", vm)
    results = machine.events("register", source="hostile")
    assert len(results) >= 2 * len(own)
    leaks = [
        str(result.keys)
        for result in results
        if result.keys["read"] != "trapped"
        and int(result.keys["read"], 16) in own.get(result.keys["name"], set()) - {0}
    ]
    # What is the same for every partition of this core tells nothing.
    constant = ("'icc_sre'", "'spsel'", "'daif'", "'mpidr_el1'")
    assert not [leak for leak in leaks if not any(c in leak for c in constant)]
    for vm in VMS:
        assert "CORRUPT" not in machine.streams[vm].text
    assert faults(machine) == {"hostile"}, "which tries registers that trap"
