# SPDX-License-Identifier: MIT
"""Debian's own kernel in VMs: it boots on every kind and number of CPUs, and does what it does on bare metal."""

import re

import pytest

from linux_shell import BOOT_S, Shell, describe, vm

# It hangs before its first line; a run of it only waits for that.
MAX_TRAPS = pytest.mark.xfail(reason="ID registers announce what traps", run=False)


@pytest.fixture
def boot(machine, tmp_path):
    """Boots VMs (tables of a description) on some cores."""

    def start(cores, *tables, **options):
        file = tmp_path / "system.toml"
        file.write_text(describe(cores, *tables))
        return machine.boot(file, timeout=BOOT_S, **options)

    return start


@pytest.mark.parametrize(
    ("cpu", "vcpus"),
    [
        ("cortex-a72", 2),
        pytest.param("cortex-a72", 1, marks=pytest.mark.slow),
        pytest.param("cortex-a72", 4, marks=pytest.mark.slow),
        pytest.param("cortex-a53", 2, marks=pytest.mark.slow),
        pytest.param("neoverse-n1", 2, marks=pytest.mark.slow),
        pytest.param("max", 2, marks=[pytest.mark.slow, MAX_TRAPS]),
    ],
)
def test_linux_boots_to_a_shell(machine, boot, cpu, vcpus):
    boot(vcpus, vm("linux", range(vcpus)), cpu=cpu)
    shell = Shell(machine, "linux").up()
    said = shell.run(f"smoke {vcpus}")
    assert "smoke: done" in said
    assert re.findall(r".*WRONG.*", said) == []
    assert [
        event.line for event in machine.events("vm.fault") + machine.events("vm.undefined")
    ] == []


@pytest.mark.slow
def test_the_pair_runs_beside_a_bare_metal_guest(machine):
    machine.boot("linux-pair", timeout=BOOT_S)
    for name in ("linux-a", "linux-b"):
        shell = Shell(machine, name).up()
        assert shell.run("nproc") == "2"
    machine.expect("ticker: ready", "ticker")
