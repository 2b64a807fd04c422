# SPDX-License-Identifier: MIT
"""A service is killed in the middle of guests' accesses: every access takes effect once, and no guest notices."""

from __future__ import annotations

import re
from pathlib import Path
from string import ascii_lowercase

import pytest
from checks import faults

from bulkhead.harness import Harness

SYSTEM = Path(__file__).parent.parent / "systems" / "exactly-once" / "system.toml"
GUESTS = ["first", "second"]


def line(how: str, number: int) -> str:
    """What test/guests/pattern writes."""
    head = f"{how} {number:04} "
    return head + "".join(ascii_lowercase[(number + at) % 26] for at in range(len(head), 62))


def pattern(how: str) -> str:
    return "".join(line(how, number) + "\r\n" for number in range(100))


def check_output(machine: Harness, guest: str, how: str) -> None:
    """The pattern is in the guest's stream, to the byte."""
    text = machine.streams[guest].raw.decode()
    start = text.index(f"{how} 0000 ")
    assert text[start:].startswith(pattern(how))


@pytest.fixture
def system(tmp_path: Path):
    """The system with these properties of uart."""

    def with_properties(**properties: str | int) -> Path:
        lines = [
            f'{key} = "{v}"' if isinstance(v, str) else f"{key} = {v}"
            for key, v in properties.items()
        ]
        path = tmp_path / "system.toml"
        head = "[service.uart.properties]"
        path.write_text(SYSTEM.read_text().replace(head, "\n".join([head, *lines])))
        return path

    return with_properties


@pytest.mark.parametrize(
    ("at", "point"),
    [
        (1, "before"),
        pytest.param(1, "after", marks=pytest.mark.slow),
        pytest.param(2, "after", marks=pytest.mark.slow),
        pytest.param(999, "before", marks=pytest.mark.slow),
        (1001, "both"),
    ],
)
def test_output_survives_kills(machine: Harness, system, at: int, point: str) -> None:
    machine.boot(system(fault_at=at, fault_point=point, fault_times=10), timeout=120)
    for guest in GUESTS:
        machine.expect("interrupt done", guest)
        for how in ("polled", "interrupt"):
            check_output(machine, guest, how)
    restarts = len(machine.events("partition.restart", partition="uart"))
    assert restarts >= 5, "two vCPUs of uart may crash at once"
    # Not one for each restart: a vCPU of uart may be stopped before it logs, because the other one crashed, and
    # a line is dropped if who holds the log's lock does not run.
    assert machine.events("uart.repeated")
    assert faults(machine) <= {"uart"}


@pytest.mark.parametrize(
    "point",
    [*(pytest.param(point, marks=pytest.mark.slow) for point in ("before", "after")), "both"],
)
def test_input_survives_kills(machine: Harness, system, point: str) -> None:
    machine.boot(
        system(fault_access="read", fault_at=37, fault_point=point, fault_times=10), timeout=120
    )
    text = "".join(line("input", number) for number in range(4))  # less than the guest's buffer
    for guest in GUESTS:
        machine.expect("interrupt done", guest)
    for guest in GUESTS:
        machine.send(guest, text + "\n")
    for guest in GUESTS:
        machine.expect(text, guest)
    assert len(machine.events("partition.restart", partition="uart")) >= 5


def test_policy_limits_restarts(machine: Harness, system) -> None:
    """Past its limit uart stays down with the guest's access pending; a restart by hand lets the guest go on."""
    path = system(fault_at=1000, fault_times=6)
    path.write_text(path.read_text().replace("restarts = 20", "restarts = 2"))
    machine.boot(path, timeout=120)
    machine.expect(event="partition.stop", partition="uart")
    assert len(machine.events("partition.restart", partition="uart")) == 2
    machine.run_for(1)
    size = {guest: len(machine.streams[guest].raw) for guest in GUESTS}
    machine.run_for(1)
    assert size == {guest: len(machine.streams[guest].raw) for guest in GUESTS}
    for _ in range(4):
        machine.send("lifecycle", "restart uart\r")
        machine.run_for(1)
    for guest in GUESTS:
        machine.expect("interrupt done", guest)
        for how in ("polled", "interrupt"):
            check_output(machine, guest, how)
    assert faults(machine) <= {"uart"}


def restart_all(machine: Harness, count: int) -> None:
    """Kills each service once more, wherever it is just then."""
    for service in ("uart", "timer", "gic", "console"):
        machine.send("lifecycle", f"restart {service}\r")
        machine.expect(event="partition.restart", partition=service, count=count)


@pytest.mark.slow
def test_restarts_under_load(machine: Harness) -> None:
    """Each service is killed twenty times under guests that print as fast as they can."""
    machine.boot(SYSTEM, timeout=120)
    for guest in GUESTS:
        machine.expect("polled 0001", guest)
    for count in range(1, 21):
        restart_all(machine, count)
        for guest in GUESTS:
            machine.send(guest, "!")
    for guest in GUESTS:
        machine.expect("interrupt done", guest)
        for _ in range(20):
            machine.expect("again done", guest)
        text = machine.streams[guest].raw.decode()
        assert text.count(pattern("again")) == 20
        for how in ("polled", "interrupt"):
            check_output(machine, guest, how)
    assert not faults(machine)


def test_restarts_under_the_demo(machine: Harness) -> None:
    """ticker goes on ticking, pair goes on checking, each service killed twenty times."""
    machine.boot("demo", timeout=120)
    machine.expect("ticker: ready", "ticker")
    machine.expect("bulkhead>", "lifecycle")
    for count in range(1, 21):
        restart_all(machine, count)
    first = int(machine.expect(re.compile(r"tick (\d+)"), "ticker")[1])
    machine.expect(f"tick {first + 4}", "ticker")
    machine.expect("pair: ready", "pair")
    for guest in ("ticker", "pair"):
        assert "FAILED" not in machine.streams[guest].text
    numbers = [
        int(n) for n in re.findall(r" tick (\d+)\r?$", machine.streams["ticker"].text, re.MULTILINE)
    ]
    ticks = numbers[10:]
    assert ticks == list(range(1, len(ticks) + 1))
