# SPDX-License-Identifier: MIT
"""Calls, lost servers, signals, priorities and budgets, on two cores."""

from checks import run_checks

from bulkhead.harness import Harness


def test_ipc_and_scheduling_keep_their_promises(machine: Harness) -> None:
    run_checks(machine, "ipc", icount=True, least=150)
    events = machine.events
    assert len(events("fault.exception", esr_el1=0xF2000001)) == 2
    assert len(events("fault.watchdog")) == 2
