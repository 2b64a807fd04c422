# SPDX-License-Identifier: MIT
"""An idle system really idles: exits as lifecycle's `list` counts them, instructions as QEMU counts them, over virtual time."""

import re

import pytest

from bulkhead import monitor as qmp
from bulkhead.monitor import Monitor
from bulkhead.paths import find_system

SECONDS = 200  # of virtual time; most of it is skipped, as every CPU sleeps
MOST_EXITS = 100  # per vCPU and second
MOST_INSTRUCTIONS = (
    20_000  # per second, at EL2 and EL1 together, of a thousand million that the CPU could do
)
RTC = 0x09010000  # QEMU's PL031 follows virtual time
ROW = re.compile(
    r"^(?P<name>\S+) +(?:vm|service) +\w+ +(?P<vcpus>\d+) +\S+ +\d+\.\d{3} s +\d+ +(?P<exits>\d+|-)",
    re.MULTILINE,
)
LISTING = re.compile(r"list\r?\n(name .*?)^bulkhead> $", re.DOTALL)


def look(monitor):
    """Instructions executed so far, and the second of virtual time, at one moment."""
    monitor.execute("stop")
    instructions = monitor.instructions()
    word = monitor.execute("human-monitor-command", **{"command-line": f"xp /1wx {RTC:#x}"})
    monitor.execute("cont")
    return instructions, int(word.split(":")[1], 16)


def listing(machine):
    """Name to (vCPUs, exits); on one CPU none runs elsewhere, so all are known."""
    machine.send("lifecycle", "list\r")
    text = machine.expect(LISTING, "lifecycle")[1]
    return {row["name"]: (int(row["vcpus"]), int(row["exits"])) for row in ROW.finditer(text)}


def alive(machine):
    """How often pair has said that it is alive: once per ten seconds of its virtual time."""
    return max(map(int, re.findall(r"pair: alive (\d+)", machine.streams["pair"].text)), default=0)


# Two vCPUs of pair on one CPU wait for each other in loops: their checks take long.
@pytest.mark.parametrize("pair_cores", ["[0]", pytest.param("[0, 1]", marks=pytest.mark.slow)])
def test_an_idle_system_idles(machine, record_figure, tmp_path, pair_cores):
    system = tmp_path / "system.toml"
    described = find_system("idle").read_text()
    assert "cores = [0, 1]" in described
    system.write_text(described.replace("cores = [0, 1]", f"cores = {pair_cores}"))
    machine.boot(
        system,
        smp=1,
        icount=True,
        timeout=120,
        qemu_args=qmp.arguments(tmp_path / "qmp"),
    )
    machine.expect("ticker: ready", "ticker")
    machine.expect("pair: ready", "pair")
    machine.send("ticker", "quiet\r")  # else it prints a line per second
    machine.expect("quiet from now on", "ticker")
    before = listing(machine)
    monitor = Monitor(machine, tmp_path / "qmp")
    first, begin = look(monitor)
    machine.expect(f"pair: alive {alive(machine) + 1 + SECONDS // 10}", "pair")
    last, end = look(monitor)
    monitor.close()
    after = listing(machine)
    seconds = end - begin
    assert seconds >= SECONDS - 1
    assert {"ticker", "pair", "uart", "timer", "gic", "console"} <= set(after)
    exits = {name: after[name][1] - before[name][1] for name in after}
    instructions = (last - first) / seconds
    name = f"idle, pair on cores {pair_cores}"
    record_figure(f"{name}: exits of all", round(sum(exits.values()) / seconds, 2), "per second")
    record_figure(f"{name}: instructions at EL2 and EL1", round(instructions), "per second")
    for partition, number in exits.items():
        assert number / after[partition][0] / seconds <= MOST_EXITS, partition
    assert exits["ticker"] < 10, "who has nothing to do does nothing but its last line"
    assert 0 < instructions <= MOST_INSTRUCTIONS
