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
