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


ROUND = re.compile(
    r"rounds=(\d+) counted=(\d+) cycles=(\d+) ticks=(\d+) increments=(\d+) seen=(\d+)"
)
INSTRUCTIONS = 2  # a round
NS_PER_TICK = 16


@pytest.mark.parametrize("cpu", ["cortex-a72", pytest.param("max", marks=pytest.mark.slow)])
def test_two_vms_that_share_a_core_count_only_their_own(machine: Harness, cpu: str) -> None:
    """Exactly, though they preempt each other by slices of 5 ms; and neither sees the other's registers."""
    machine.boot("rivals", cpu=cpu, icount=True, timeout=120)
    for vm in ("left", "right"):
        found = machine.expect(re.compile(rf"{vm} found=(\w+) counters=(\d+)"), vm)
        assert int(found[1], 16) == 0, "not as a VM starts: another's?"
        assert int(found[2]) >= 4
        for _ in range(5):
            said = machine.expect(ROUND, vm)
            rounds, counted, cycles, ticks, increments, seen = map(int, said.groups())
            assert counted == INSTRUCTIONS * (rounds - 1)  # than of one round
            assert seen == increments
            # An instruction is a cycle and a nanosecond; the other had the core for as long.
            assert 0 <= cycles - INSTRUCTIONS * rounds < 20
            assert ticks * NS_PER_TICK > 1.5 * cycles
        assert machine.expect(re.compile(rf"{vm} changed=(\d+)"), vm)[1] == "0"
