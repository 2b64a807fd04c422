# SPDX-License-Identifier: MIT
"""A VM with a physical device: its interrupt is linked to the physical one, and ends it without an exit."""

import re

RTC = 34
NONE = 1023
EXIT_TICKS = 4  # of 16 instructions; no exit is that short


def numbers(machine, first, **values):
    """The numbers in the guest's line that begins with `first`."""
    line = machine.expect(re.compile(rf"alarm: {first}.*"), "alarm")[0]
    return {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", line)}


def check_a_life(machine):
    """All that the guest does in one life; it ends with the interrupt active."""
    assert numbers(machine, "exit")["ticks"] > EXIT_TICKS, "the measure sees an exit"
    level = numbers(machine, "level")
    assert level == {"first": RTC, "before": NONE, "again": RTC, "raw": 1}
    for found in (numbers(machine, "eoi"), numbers(machine, "second")):
        assert (
            found.pop("ticks") <= EXIT_TICKS
        ), "the EOI deactivates the physical interrupt by itself"
        assert found in ({"then": NONE}, {"second": RTC, "then": NONE})
    third = numbers(machine, "third")
    assert third.pop("ticks") <= EXIT_TICKS, "so does a write of ICC_DIR_EL1"
    assert third == {"third": RTC, "dropped": NONE, "then": NONE}
    assert numbers(machine, "fourth") == {"fourth": RTC}
    machine.expect("alarm: reset while it is active", "alarm")


def test_a_physical_interrupt_is_ended_by_the_guest_without_an_exit(machine):
    machine.boot("alarm", icount=True, timeout=60)
    check_a_life(machine)
    machine.expect(event="vm.reset", vm="alarm", cause="guest")
    check_a_life(machine)  # what the first left active does not keep the second from its alarms
    assert [event.line for event in machine.events() if "fault" in event.name] == []
