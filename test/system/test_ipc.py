# SPDX-License-Identifier: MIT
"""Calls, lost servers, signals, priorities and budgets, on two cores."""

from checks import faults, run_checks

from bulkhead.harness import Harness


def test_ipc_and_scheduling_keep_their_promises(machine: Harness) -> None:
    run_checks(machine, "ipc", icount=True, least=150)
    assert not faults(machine), "whoever made a partition is told of its faults, not the log"
