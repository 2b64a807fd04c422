# SPDX-License-Identifier: MIT
"""The lifecycle prompt: what a user types, what happens to VMs and services, and what a mistake is told."""

import re

import pytest

from bulkhead import monitor as qmp
from bulkhead.monitor import Monitor
from bulkhead.pack.manifest import read_manifest
from bulkhead.paths import SYSTEMS

IDLE = SYSTEMS / "idle" / "system.toml"
TICK = re.compile(r"\[(\d+\.\d+)\] ticker: tick (\d+)")


@pytest.fixture
def typed(machine):
    """The idle system with its guests ready; `typed(line)` types it at the prompt and gives the answer."""
    machine.boot("idle", timeout=45)
    machine.expect("ticker: ready", "ticker")
    machine.expect("pair: ready", "pair")

    def enter(line):
        machine.send("lifecycle", line + "\r")
        # An event may come at any time: the prompt is then written again, with what was typed.
        answer = re.compile(re.escape(line) + r"\r?\n(.*?)^bulkhead> $", re.DOTALL)
        return machine.expect(answer, "lifecycle")[1]

    return enter


def states(listing):
    """`list` as name to state."""
    rows = [line.split() for line in listing.splitlines() if re.search(r" (vm|service) ", line)]
    return {row[0]: row[2] for row in rows}


def next_tick(machine):
    """The guest's own time and count at its next tick."""
    found = machine.expect(TICK, "ticker")
    return float(found[1]), int(found[2])


def test_help_names_every_command(typed):
    told = typed("help")
    for command in "help list start stop pause resume restart log poweroff".split():
        assert re.search(rf"^{command} ", told, re.MULTILINE), command


def test_list_shows_every_partition(typed):
    found = states(typed("list"))
    names = ("ticker", "pair", "console", "uart", "timer", "gic")
    assert found == {name: "running" for name in names}


def test_stop_and_start_load_a_vm_afresh(machine, typed):
    typed("stop ticker")
    machine.expect(event="vm.stop", vm="ticker", cause="user")
    assert states(typed("list"))["ticker"] == "off"
    assert "'ticker' is off" in typed("stop ticker")
    typed("start ticker")
    machine.expect("ticker: hello", "ticker")
    machine.expect("ticker: ready", "ticker")
    assert states(typed("list"))["ticker"] == "running"


def test_virtual_time_stands_still_while_a_vm_is_paused(machine, typed):
    before, count = next_tick(machine)
    typed("pause ticker")
    machine.expect(event="vm.pause", vm="ticker")
    assert states(typed("list"))["ticker"] == "paused"
    said = len(machine.streams["ticker"].text)
    machine.run_for(4)
    assert len(machine.streams["ticker"].text) == said
    typed("resume ticker")
    machine.expect(event="vm.resume", vm="ticker")
    after, later = next_tick(machine)
    # Ticks go on where they stopped: as many as its own seconds, whatever the clock on the wall says.
    while later < count + 4:
        after, later = next_tick(machine)
    assert after - before == pytest.approx(later - count, abs=0.7)


@pytest.mark.parametrize("scrub", [0, 1])
def test_what_a_vm_left_in_its_memory_is_gone_when_it_starts_again(machine, tmp_path, scrub):
    system = tmp_path / "system.toml"
    lifecycle = f"[service.lifecycle]\nproperties = {{ scrub = {scrub} }}"
    system.write_text(IDLE.read_text().replace("[service.lifecycle]", lifecycle))
    memory = read_manifest(machine.pack(system).image)[0]["memory"]
    (ram,) = [one["base"] for one in memory if one["name"] == "ticker.ram"]
    secret, at = 0x5EC2_E7, ram + (9 << 20)  # in a part that no image fills
    loader = ("-device", f"loader,addr={at:#x},data={secret:#x},data-len=4")
    machine.boot(system, qemu_args=(*loader, *qmp.arguments(tmp_path / "qmp")), timeout=45)
    machine.expect("ticker: ready", "ticker")
    machine.expect("bulkhead> ", "lifecycle")
    monitor = Monitor(machine, tmp_path / "qmp")

    def word():
        shown = monitor.execute("human-monitor-command", **{"command-line": f"xp /1wx {at:#x}"})
        return int(shown.split(":")[1], 16)

    assert word() == (
        0 if scrub else secret
    )  # the machine's reset left it there, and nobody has run
    machine.send("lifecycle", "restart ticker\r")
    machine.expect("ticker: hello", "ticker")
    assert word() == 0
    monitor.close()


def test_restart_of_a_vm_begins_it_again(machine, typed):
    typed("restart pair")
    machine.expect(event="vm.reset", vm="pair", cause="user")
    machine.expect("pair: hello", "pair")
    machine.expect("pair: ready", "pair")
    assert "FAILED" not in machine.streams["pair"].text


@pytest.mark.parametrize("service", ["uart", "timer", "gic", "console"])
def test_restart_of_a_service_goes_unnoticed_by_its_guests(machine, typed, service):
    _, count = next_tick(machine)
    typed(f"restart {service}")
    machine.expect(event="partition.restart", partition=service, cause="user")
    # Every tick is there, once.
    for expected in range(count + 1, count + 4):
        assert next_tick(machine)[1] == expected
    machine.send("ticker", "still here\r")
    machine.expect("echo: still here", "ticker")
    assert states(typed("list"))[service] == "running"
    assert [event for event in machine.events() if "fault" in event.name] == []


def test_log_repeats_the_last_events(machine, typed):
    typed("pause ticker")
    machine.expect(event="vm.pause", vm="ticker")
    assert re.search(r"vm\.start vm=ticker .*vm\.pause vm=ticker", typed("log"), re.DOTALL)


def test_a_mistake_is_named(typed):
    for line, said in (
        ("dance", "no command 'dance'; try help"),
        ("stop nobody", "no partition named 'nobody'; try list"),
        ("stop", "stop whom? type stop NAME; try list"),
        ("stop uart", "'uart' is a service: it can only be restarted"),
        ("pause ticker pair", "pause takes one name, not 'pair'; try help"),
        ("list ticker", "list takes no name, not 'ticker'; try help"),
        ("start ticker", "'ticker' is running"),
        ("resume ticker", "'ticker' is running"),
    ):
        assert said in typed(line)


def test_poweroff_ends_the_machine(machine, typed):
    machine.send("lifecycle", "poweroff\r")
    assert machine.wait_off() == "poweroff"
    assert machine.streams["lifecycle"].lines[-1].endswith("machine: off reason=poweroff")
