# SPDX-License-Identifier: MIT
"""Objects made at run time: memory taken away, partitions that end, a VM made by a partition."""

from checks import faults, run_checks

from bulkhead.harness import Harness


def test_objects_come_and_go_and_leave_nothing_behind(machine: Harness) -> None:
    checks = run_checks(machine, "objects", icount=True, least=150)
    assert not faults(machine), "whoever made a partition is told of its faults, not the log"
    assert len([check for check in checks if check.keys["name"] == "taken.fault"]) == 8
