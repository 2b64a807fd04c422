# SPDX-License-Identifier: MIT
"""Objects made at run time: memory taken away, partitions that end, a VM made by a partition."""

from checks import run_checks

from bulkhead.harness import Harness


def test_objects_come_and_go_and_leave_nothing_behind(machine: Harness) -> None:
    run_checks(machine, "objects", icount=True, least=150)
    taken = [event for event in machine.events("fault.stage2") if event.keys["access"] == "read"]
    assert len(taken) == 8, "each of the eight takings is named in the log"
    assert len(machine.events("fault.permission")) == 3
    assert len(machine.events("fault.no_endpoint")) == 1
