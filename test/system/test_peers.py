# SPDX-License-Identifier: MIT
"""The benchmark's guest runs to its end under other hypervisors, and what it counts there is what an exit costs there."""

import pytest

from bulkhead.bench import peers
from bulkhead.bench.peer import Guest
from bulkhead.events import parse_log
from bulkhead.paths import build_folder

INSTRUCTIONS_PER_TICK = 16  # an instruction is a nanosecond, CNTVCT counts at 62.5 MHz
# Least and most instructions. KVM answers from user space where a UART is concerned, Xen from within.
RANGES = {
    "kvm": {
        "uart.read": (3000, 14000),
        "uart.write": (3000, 25000),
        "uart.setup": (3000, 25000),
        "sysreg.read": (1000, 7000),
        "hvc": (600, 4000),
        "timer.deadline": (1000, 12000),
        "timer.end": (0, 100),
        "sleep": (3000, 30000),
    },
    "xen": {
        "uart.read": (300, 1500),
        "uart.write": (300, 2000),
        "sysreg.read": (200, 1200),
        "hvc": (200, 1200),
        "timer.deadline": (400, 3000),
        "timer.end": (0, 100),
        "sleep": (1500, 20000),
    },
}


def count(peer, folder, bootargs="", cpus=1):
    """Instructions of each operation."""
    image = build_folder() / "partitions" / "bench" / "bench.img"
    lines = peers.run(peer, Guest(image, bootargs, cpus), folder)
    operations = [event for event in parse_log(lines) if event.name == "op"]
    return {event.keys["name"]: mean(event) for event in operations}


def mean(event):
    """By the counter or, where single rounds are counted, by their sum."""
    if "sum" in event.keys:
        return event.number("sum") / event.number("rounds")
    return event.number("ticks") * INSTRUCTIONS_PER_TICK / event.number("rounds")


@pytest.mark.slow
@pytest.mark.parametrize("peer", peers.PEERS)
def test_a_peer_runs_the_benchmark_and_its_exits_cost_what_is_known(peer, tmp_path, record_figure):
    found = count(peer, tmp_path)
    assert found.keys() == RANGES[peer].keys()
    for name, (least, most) in RANGES[peer].items():
        record_figure(f"{peer}: {name}", round(found[name], 1), "instructions")
        assert least <= found[name] <= most, name


@pytest.mark.slow
def test_kvm_runs_a_guest_of_two_vcpus(tmp_path, record_figure):
    found = count("kvm", tmp_path, "sgi", cpus=2)
    record_figure("kvm: sgi", round(found["sgi"], 1), "instructions")
    assert 2000 <= found["sgi"] <= 15000


@pytest.mark.slow
@pytest.mark.parametrize("peer", peers.PEERS)
def test_linux_counts_its_workloads_under_a_peer(peer, tmp_path, record_figure):
    per_round = {"forks": (50_000, 1_000_000), "pipes": (5_000, 200_000), "faults": (2_000, 20_000)}
    found = peers.workloads(peer, list(per_round), tmp_path)
    for name, (least, most) in per_round.items():
        rounds, instructions = found[name]
        record_figure(f"{peer}: Linux, {name}", instructions, "instructions")
        assert least <= instructions / rounds <= most, name


@pytest.mark.slow
@pytest.mark.parametrize(("peer", "least", "most"), [("kvm", 4000, 40000), ("xen", 2000, 20000)])
def test_a_sleep_under_a_peer_takes_as_many_instructions_each_time(
    peer, least, most, tmp_path, record_figure
):
    found = peers.sleep(peer, tmp_path)
    record_figure(f"{peer}: sleep, all instructions", round(found, 1), "instructions")
    assert least <= found <= most
    assert peers.sleep(peer, tmp_path) == found
