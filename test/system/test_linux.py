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


@pytest.mark.slow
def test_reboot_restarts_only_that_vm_from_its_images_with_new_seeds(machine, boot):
    boot(2, vm("linux", [0, 1]), '[vm.ticker]\nimage = "@ticker"\nram_mib = 16\n')
    shell = Shell(machine, "linux").up()
    kernel = "grep ' _stext$' /proc/kallsyms"
    first = shell.run(f"touch /tmp/here; dmesg | grep -c 'crng init done'; {kernel}")
    shell.start("reboot -f")
    machine.expect(event="vm.reset", vm="linux", cause="guest")
    shell.up()
    assert shell.run("ls /tmp") == ""
    second = shell.run(f"dmesg | grep -c 'crng init done'; {kernel}")
    for said in (first, second):
        assert re.match(r"1\n[0-9a-f]{16} T _stext$", said), said
    assert first != second, "the kernel lies where it lay before: kaslr-seed is not fresh"
    assert machine.events("vm.reset", vm="ticker") == []
    assert "hello" not in machine.streams["ticker"].text.split("ready", 1)[1]


@pytest.mark.slow
def test_poweroff_and_a_panic_end_the_vm_by_its_policy(machine, boot):
    panics = vm(
        "panics", [1], 'policy = "restart"', bootargs="console=ttyAMA0 cryptomgr.notests panic=-1"
    )
    boot(2, vm("linux", [0]), panics)
    shell, victim = Shell(machine, "linux").up(), Shell(machine, "panics").up()
    victim.start("echo c > /proc/sysrq-trigger")
    machine.expect("Kernel panic - not syncing", "panics")
    machine.expect(event="vm.reset", vm="panics")  # panic=-1: Linux itself asks for it
    victim.up()
    victim.start("poweroff -f")
    machine.expect(event="vm.off", vm="panics")
    assert shell.run("nproc") == "1"
    shell.start("poweroff -f")
    assert machine.wait_off() == "poweroff"
