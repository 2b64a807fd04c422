# SPDX-License-Identifier: MIT
"""Every hypercall with good and with bad arguments, from a native partition."""

from bulkhead.harness import Harness

from checks import run_checks


def test_every_hypercall_does_what_it_says_and_refuses_what_it_must(machine: Harness) -> None:
    run_checks(machine, "hypercalls", least=500)
