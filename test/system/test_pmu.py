# SPDX-License-Identifier: MIT
"""What a VM's PMU counts, by the key `pmu` of its description."""

import re

import pytest

from bulkhead.harness import Harness

COUNT = r"{} rounds=(\d+) el1=(\d+) all=(\d+)"
LEAST_OF_AN_EXIT = 50


def counts(machine: Harness, vm: str, what: str) -> tuple[int, int, int]:
    """Rounds, instructions counted at EL1 (and EL0), and with EL2."""
    found = machine.expect(re.compile(COUNT.format(what)), vm)
    rounds, el1, both = map(int, found.groups())
    return rounds, el1, both


@pytest.mark.parametrize("cpu", ["cortex-a72", "max"])
def test_the_machines_pmu_counts_services_and_the_core(machine: Harness, cpu: str) -> None:
    machine.boot("counters", cpu=cpu, icount=True, timeout=60)
    found = machine.expect(re.compile(r"pmu version=(\d+) counters=(\d+)"), "counters")
    version, counters = map(int, found.groups())
    assert version > 0 and counters >= 4
    rounds, el1, both = counts(machine, "counters", "nothing")
    assert el1 == both < 10 * rounds
    rounds, el1, both = counts(machine, "counters", "hvc")
    assert el1 > 10 * rounds  # the service at EL1
    assert both - el1 > LEAST_OF_AN_EXIT * rounds  # the core at EL2


@pytest.mark.parametrize("cpu", ["cortex-a72", "max"])
def test_a_vms_own_pmu_counts_only_the_vm(machine: Harness, cpu: str) -> None:
    machine.boot("counters-own", cpu=cpu, icount=True, timeout=60)
    rounds, el1, both = counts(machine, "counters", "nothing")
    assert rounds <= el1 == both < 10 * rounds
    rounds, el1, both = counts(machine, "counters", "hvc")
    assert rounds <= el1 == both < 10 * rounds


@pytest.mark.parametrize("system, interrupts", [("counters-own", 1), ("counters", 0)])
def test_the_overflow_interrupt_reaches_who_owns_the_pmu(
    machine: Harness, system: str, interrupts: int
) -> None:
    """Without icount, under which QEMU 7.2 does not look whether a counter overflows."""
    machine.boot(system, timeout=60)
    machine.expect(f"overflow interrupts={interrupts} overflowed={interrupts}", "counters")
    machine.expect("ready", "counters")


def test_a_cpu_without_a_pmu(machine: Harness) -> None:
    """The core starts, lifecycle says what the VM goes without, and the VM sees no PMU."""
    machine.boot("counters-own", cpu="cortex-a72,pmu=off", timeout=60)
    event = machine.expect(event="vm.without", source="lifecycle")
    assert (event.keys["vm"], event.keys["key"]) == ("counters", "pmu")
    assert event.keys["cpu_lacks"] == "FEAT_PMUv3"
    machine.expect("pmu version=0 counters=0", "counters")
