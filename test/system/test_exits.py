# SPDX-License-Identifier: MIT
"""What an exit to a service costs, in instructions: a guest counts ticks of virtual time, which icount makes exact."""

import re

INSTRUCTIONS_PER_TICK = 16  # an instruction is a nanosecond, CNTVCT counts at 62.5 MHz
LEAST, MOST = 50, 2000  # less cannot be an exit
FIGURES = {
    # What the guest calls it: (name in the summary, bar of the benchmark)
    "uart.read": ("UART exit: read of UARTFR", 320),
    "uart.write": ("UART exit: write of UARTDR", 320),
    "uart.setup": ("UART exit: write of UARTIBRD", None),  # rare, by the service's slow way
    "sysreg.read": ("register exit: read of CNTP_CTL_EL0", 280),
    "hvc": ("firmware exit: PSCI_VERSION", 260),
}


def count(machine):
    """Instructions by what the guest calls it."""
    machine.boot("exits", icount=True, timeout=60)
    found = {}
    for what in FIGURES:
        line = re.compile(rf"exits: {re.escape(what)} rounds=(\d+) ticks=(\d+)")
        rounds, ticks = map(int, machine.expect(line, "exits").groups())
        found[what] = ticks * INSTRUCTIONS_PER_TICK / rounds
    machine.expect("exits: ready", "exits")
    assert [event.line for event in machine.events() if "fault" in event.name] == []
    return found


def test_an_exit_to_a_service_takes_few_instructions_and_always_the_same(machine, record_figure):
    first = count(machine)
    for what, (name, bar) in FIGURES.items():
        record_figure(name, round(first[what], 1), "instructions", bar)
        assert LEAST < first[what] < MOST, name
    assert count(machine) == first
