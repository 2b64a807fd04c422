# SPDX-License-Identifier: MIT
"""The demo, whole: our guests' checks pass on every number and kind of CPU, and Debian's U-Boot works unmodified."""

import re

import pytest

BOOT_S = 120


def check_guests(machine, two_cpus=True):
    """Every line that proves something, in order; nothing failed and nobody faulted."""
    for line in (
        "mmu and exclusives ok",
        "uart irq tx ok",
        "cntv tick 5",
        "cntv ok",
        "cntp tick 5",
    ):
        machine.expect(line, "ticker")
    machine.expect("cntp ok", "ticker")
    machine.expect("cntv and cntp together ok", "ticker")
    machine.expect(re.compile(r"ticker: ready\r?$"), "ticker")
    machine.expect(re.compile(r"sgi rounds=\d+ pings=(\d+) pongs=\1 ok"), "pair")
    machine.expect(re.compile(r"cpu0 fp: ok"), "pair")
    machine.expect(re.compile(r"cpu1 fp: ok"), "pair")
    machine.expect(re.compile(r"pair: ready\r?$"), "pair")
    machine.expect("tick 2", "ticker")
    for name in ("ticker", "pair"):
        assert "FAILED" not in machine.streams[name].text
    assert faults(machine) == []


def faults(machine):
    return [event.line for event in machine.events() if "fault" in event.name]


# On one core everything shares it; on four, two are idle.
@pytest.mark.parametrize("cpus", [1, 2, pytest.param(4, marks=pytest.mark.slow)])
def test_the_guests_checks_pass_on_any_number_of_cpus(machine, cpus):
    machine.boot("demo", smp=cpus, timeout=BOOT_S)
    check_guests(machine)


@pytest.mark.parametrize(
    "cpu",
    [
        "cortex-a53",
        pytest.param("neoverse-n1", marks=pytest.mark.slow),
        pytest.param("cortex-a57", marks=pytest.mark.slow),
        pytest.param("cortex-a76", marks=pytest.mark.slow),
        "max",
    ],
)
def test_the_guests_checks_pass_on_any_kind_of_cpu(machine, cpu):
    machine.boot("idle", cpu=cpu, timeout=BOOT_S)
    check_guests(machine)


def test_a_system_packed_for_four_cores_uses_all(machine):
    machine.boot(machine.pack("idle", cores=4), timeout=BOOT_S)
    assert machine.expect(event="boot", source="core").number("cores") == 4
    check_guests(machine)


def test_u_boot_works_unmodified(machine):
    machine.boot("demo", timeout=BOOT_S)
    machine.expect("U-Boot 20", "u-boot")
    machine.expect("Hit any key", "u-boot")
    machine.send("u-boot", "\r")
    prompt = re.compile(r"^=> $")
    machine.expect(prompt, "u-boot")
    machine.send("u-boot", "version\r")
    machine.expect(re.compile(r"^U-Boot 20\d\d\.\d\d"), "u-boot")
    machine.expect(prompt, "u-boot")
    machine.send("u-boot", "bdinfo\r")
    machine.expect(re.compile(r"DRAM bank\s*= 0x0+"), "u-boot")
    machine.expect(re.compile(r"-> start\s*= 0x0*40000000"), "u-boot")
    machine.expect(prompt, "u-boot")
    machine.send("u-boot", "fdt addr ${fdtcontroladdr}\r")
    machine.expect(prompt, "u-boot")
    machine.send("u-boot", "fdt print\r")
    machine.expect("pl011@9000000", "u-boot")
    machine.expect(prompt, "u-boot")
    assert faults(machine) == []
