# SPDX-License-Identifier: MIT
"""Calls, lost servers, signals, priorities and budgets, on two cores."""

from checks import faults, run_checks

from bulkhead.harness import Harness


def test_ipc_and_scheduling_keep_their_promises(machine: Harness) -> None:
    run_checks(machine, "ipc", icount=True, least=150)
    assert not faults(machine), "whoever made a partition is told of its faults, not the log"


def test_a_round_by_the_short_way_keeps_every_word_and_every_register(machine: Harness) -> None:
    run_checks(machine, "rounds", least=4)
    assert not faults(machine)


def test_confined_ones_keep_them_too(machine: Harness) -> None:
    run_checks(machine, "ipc-confined", partition="ipc", icount=True, least=130)
    assert not faults(machine)
