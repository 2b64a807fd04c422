# SPDX-License-Identifier: MIT
"""What a native test partition said: one event `check` per check, `checks` at its end; and whose vCPUs faulted."""

from __future__ import annotations

from bulkhead.events import Event
from bulkhead.harness import Harness


def run_checks(
    machine: Harness,
    system: str,
    *,
    partition: str | None = None,
    cpu: str | None = None,
    icount: bool = False,
    least: int,
) -> list[Event]:
    """Boots `system`, and holds `partition`, by default that of its name, to what it says; at least so many checks."""
    __tracebackhide__ = True
    machine.boot(system, cpu=cpu, icount=icount, timeout=240)
    partition = partition or system
    end = machine.expect(event="checks", partition=partition)
    checks = machine.events("check", source=partition)
    wrong = [event.line for event in checks if not _holds(event)]
    assert not wrong, f"{len(wrong)} of {len(checks)} checks:\n" + "\n".join(wrong)
    assert end.keys == {"passed": str(len(checks)), "failed": "0"}
    assert len(checks) >= least
    assert not machine.events("log.dropped")
    return checks


def faults(machine: Harness) -> set[str]:
    """The partitions that have faulted, by the word of lifecycle, or of the core."""
    said = [event for event in machine.events() if event.name.startswith("fault.")]
    return {event.partition for event in said if event.source in ("lifecycle", "core")}


def _holds(event: Event) -> bool:
    keys = event.keys
    if "expected" in keys:
        return keys["expected"] == keys["got"]
    return event.number("low") <= event.number("got") <= event.number("high")
