# SPDX-License-Identifier: MIT
"""Debian's own kernel in VMs: it boots on every kind and number of CPUs, and does what it does on bare metal."""

import gzip
import re
import textwrap
import time

import pytest

from bulkhead import monitor as qmp
from bulkhead.bench_linux import BARS, measure, measure_boot
from bulkhead.monitor import Monitor
from bulkhead.pack.debian import debian_file
from bulkhead.pack.initramfs import initramfs
from bulkhead.pack.manifest import read_manifest
from bulkhead.paths import CHECKOUT, build_folder
from checks import faults
from linux_shell import BOOT_S, KERNEL, Shell, describe, vm
from test_idle import listing, look

U_BOOT = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"
MOST = {"pl011": 7.5}  # each byte is an exit, and costs a hundred instructions on bare metal
MEBIBYTE = 1 << 20
IMAGE_AT = 0x5000_0000  # where the loader leaves it; booti moves it to where it must run


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
        pytest.param("max", 2, marks=pytest.mark.slow),
    ],
)
def test_linux_boots_to_a_shell(machine, boot, cpu, vcpus):
    boot(vcpus, vm("linux", range(vcpus)), cpu=cpu)
    shell = Shell(machine, "linux").up()
    said = shell.run(f"smoke {vcpus}")
    assert "smoke: done" in said
    assert re.findall(r".*WRONG.*", said) == []
    features = re.search(r"^Features\s*: (.*)$", shell.run("cat /proc/cpuinfo"), re.MULTILINE)
    assert features and "asimd" in features[1]
    hidden = ("sve", "sme", "paca", "mte", "rng_trap", "wfxt")
    assert [word for word in features[1].split() if word.startswith(hidden)] == []
    assert not faults(machine)
    assert [event.line for event in machine.events("vm.undefined")] == []


@pytest.mark.slow
def test_a_pmu_keys_and_random_bits_of_its_own(machine, boot):
    boot(1, vm("linux", [0], "pmu = true", "pac = true", "trng = true"), cpu="max")
    shell = Shell(machine, "linux").up()
    said = shell.run("dmesg")
    assert "hw perfevents: enabled with armv8_pmuv3 PMU driver" in said
    assert "detected: Address authentication" in said
    assert re.search(r"^Features.* paca pacg", shell.run("cat /proc/cpuinfo"), re.MULTILINE)
    assert "smccc_trng" in shell.run("ls /sys/bus/platform/devices")
    assert "WRONG" not in shell.run("stress perf 100")
    taken = re.search(r"^ *\d+: +(\d+) .*arm-pmu", shell.run("cat /proc/interrupts"), re.MULTILINE)
    assert taken and int(taken[1]) > 0
    assert machine.events("vm.without") == [] and machine.events("vm.undefined") == []


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
def test_a_panic_resets_the_vm_and_poweroff_ends_it(machine, boot):
    panics = vm("panics", [1], bootargs="console=ttyAMA0 cryptomgr.notests panic=-1")
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


@pytest.mark.slow
def test_cpus_go_off_and_on(machine, boot):
    boot(2, vm("linux", [0, 1]))
    shell = Shell(machine, "linux").up()
    shell.run("dmesg -n 1")  # the kernel tells the console of each change
    for cpu in (1, 0, 1, 1):
        online = f"/sys/devices/system/cpu/cpu{cpu}/online"
        assert shell.run(f"echo 0 > {online}; nproc; cat {online}") == "1\n0"
        assert shell.run("stress fp 3").startswith("fp: 3 processes")
        assert shell.run(f"echo 1 > {online}; nproc; taskset {1 << cpu:x} echo here") == "2\nhere"
    assert "WRONG" not in shell.run("smoke 2")


@pytest.mark.slow
def test_two_vms_compute_fork_and_signal_side_by_side(machine, boot):
    boot(2, vm("left", [0, 1]), vm("right", [1, 0]))
    shells = [Shell(machine, name) for name in ("left", "right")]
    for shell in shells:
        shell.up()
    for work in ("fp 100", "fork 100", "signal 200", "clock 3"):
        for shell in shells:
            shell.start(f"stress {work}")
        for shell in shells:
            assert "WRONG" not in shell.finish(timeout=120)
    for shell in shells:
        assert "WRONG" not in shell.run("smoke 2")


def noise(size):
    """The bytes that `stress out` writes and `stress in` wants."""
    state, out = 1, bytearray()
    for _ in range(size):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out.append(state >> 24)
    return bytes(out)


@pytest.mark.slow
def test_a_mebibyte_goes_out_of_the_uart_without_a_wrong_byte(machine, boot):
    data = noise(MEBIBYTE)
    shell = linux_with_two_cpus(machine, boot)
    begin = len(machine.streams["linux"].raw)
    shell.start(f"stress out {len(data)}")
    wait_for(machine, lambda raw: data[-64:] in raw[-1024:])
    shell.finish()
    given = bytes(machine.streams["linux"].raw[begin:])
    given = given[given.index(data[:64]) :]  # the command's echo is before it
    wrong = next((n for n, byte in enumerate(data) if given[n : n + 1] != bytes([byte])), None)
    assert wrong is None, (
        wrong,
        given[max(wrong - 8, 0) : wrong + 64],
        data[max(wrong - 8, 0) : wrong + 64],
    )
    assert given[len(data) :].startswith(b"\r\nmark "), "bytes that were not sent"


@pytest.mark.slow
def test_a_mebibyte_comes_into_the_uart_without_a_wrong_byte(machine, boot):
    """`stress in` compares each byte."""
    data = noise(MEBIBYTE)
    shell = linux_with_two_cpus(machine, boot)
    shell.start(f"stress in {len(data)}")
    wait_for(
        machine, lambda raw: b"in: ready" in raw[-1024:]
    )  # expect() would go past the command's mark
    machine.send("linux", data)
    wait_for(machine, lambda raw: b" bytes" in raw[-1024:])
    assert shell.finish() == f"in: ready\nin: {len(data)} bytes"
    assert shell.run("echo nothing more") == "nothing more"


def linux_with_two_cpus(machine, boot):
    boot(2, vm("linux", [0, 1]), cpu="cortex-a72")
    shell = Shell(machine, "linux").up()
    shell.run("dmesg -n 1")  # on a slow host the kernel complains of its interrupts, in the middle
    return shell


def wait_for(machine, there, timeout=1800):
    """Until `there(bytes so far)`; expect() would look through all of them each time."""
    end = time.monotonic() + timeout
    while not there(machine.streams["linux"].raw):
        assert not machine.ended and time.monotonic() < end, "what was waited for did not come"
        machine.run_for(0.2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("image", "initrd"), [("Image.gz", "rootfs.cpio.gz"), ("Image", "rootfs.cpio")]
)
def test_a_users_own_kernel_and_initramfs_boot(machine, tmp_path, image, initrd):
    """As docs/linux.md says: the table is that page's own, the files lie beside the description."""
    page = (CHECKOUT / "docs" / "linux.md").read_text()
    table = textwrap.dedent(re.search(r"^    \[vm\.mine\]\n(?:    .*\n)*", page, re.MULTILINE)[0])
    assert "Image.gz" in table and "rootfs.cpio.gz" in table
    table = table.replace("Image.gz", image).replace("rootfs.cpio.gz", initrd)
    (tmp_path / "system.toml").write_text(describe(2, table))
    debian = build_folder() / "debian"
    busybox = debian_file("debian:busybox-static/bin/busybox", debian).read_bytes()
    files = {"busybox": busybox, "init": OWN_INIT}
    archive = initramfs(tmp_path / "files", OWN_FILES, lambda name, _: files[name])
    kernel = tmp_path / re.search(r'image = "(.*?)"', table)[1]
    kernel.parent.mkdir(parents=True)
    put(kernel, debian_file(KERNEL, debian).read_bytes())
    put(tmp_path / initrd, archive)
    machine.boot(tmp_path / "system.toml", timeout=BOOT_S)
    assert machine.expect(re.compile(r"own init: (\d+) CPUs"), "mine")[1] == "2"
    assert machine.wait_off() == "poweroff"


OWN_FILES = """dir /dev 755 0 0
nod /dev/console 600 0 0 c 5 1
dir /bin 755 0 0
file /bin/busybox busybox 755 0 0
file /init init 755 0 0
"""
OWN_INIT = b"""#!/bin/busybox sh
busybox mkdir /sys
busybox mount -t sysfs sysfs /sys
echo "own init: $(busybox nproc) CPUs"
busybox poweroff -f
"""


def put(file, data):
    file.write_bytes(gzip.compress(data, 1, mtime=0) if file.suffix == ".gz" else data)


@pytest.mark.slow
def test_interrupts_go_where_they_belong(machine, boot, record_figure):
    boot(2, vm("linux", [0, 1]))
    shell = Shell(machine, "linux").up()
    shell.run("dmesg -n 1")
    first = interrupts(shell)
    assert {"arch_timer", "uart-pl011", "IPI0", "IPI1", "Err"} <= first.keys()
    for cpu in ("1", "2"):  # masks
        shell.run(f"taskset {cpu} stress signal 50")  # timers, and signals
    shell.run("stress fp 20; stress fork 20; seq 200")
    busy = interrupts(shell)
    grown = {name: [now - before for before, now in zip(first[name], busy[name])] for name in first}
    assert min(grown["arch_timer"]) > 10, "a CPU without timer interrupts"
    assert sum(grown["uart-pl011"]) > 0
    assert sum(grown["IPI0"]) + sum(grown["IPI1"]) > 10, "CPUs did not call each other"
    shell.run("sleep 2")  # what was begun ends
    before = interrupts(shell)
    shell.run("sleep 10")
    after = interrupts(shell)
    for cpu in range(2):
        idle = sum(counts[cpu] - before[name][cpu] for name, counts in after.items() if counts[1:])
        record_figure(
            f"idle Linux, two vCPUs: interrupts of CPU {cpu}",
            idle,
            "in ten seconds",
            500,
        )
        assert idle < 500
    assert after["Err"] == [0]
    assert after.keys() == first.keys(), "an interrupt that nobody asked for"


def interrupts(shell):
    """/proc/interrupts: counts of each CPU, by the last word of the line or an IPI's name."""
    counts = {}
    for line in shell.run("cat /proc/interrupts").splitlines()[1:]:
        name, *words = line.split()
        numbers = [int(word) for word in words[:2] if word.isdecimal()]
        counts[name.strip(":") if not name[0].isdigit() else words[-1]] = numbers
    return counts


@pytest.mark.slow
def test_what_a_start_and_a_restart_cost(machine, boot, record_figure, tmp_path):
    boot(1, vm("linux", [0], ram_mib=256), icount=True)
    shell = Shell(machine, "linux").up()
    image = machine.pack(tmp_path / "system.toml").image
    once = sum(
        payload["size"]
        for payload in read_manifest(image)[0]["payloads"]
        if payload["name"] in ("linux.kernel", "linux.initrd", "linux.dtb")
    )
    starts = [machine.expect(event="vm.start", vm="linux")]
    shell.start("reboot -f")
    machine.expect(event="vm.reset", vm="linux", cause="guest")
    shell.up()
    starts.append(machine.expect(event="vm.start", vm="linux"))
    for what, start in zip(("start", "restart"), starts):
        name = f"{what} of a Linux VM of 256 MiB"
        # Nothing else runs, and an instruction is a nanosecond.
        record_figure(f"{name}: instructions", start.number("load_us") * 1000, "instructions")
        record_figure(f"{name}: kernel, initramfs, tree", start.number("copied"), "bytes copied")
        assert start.number("copied") == once
        assert start.number("load_us") < 60_000


@pytest.mark.slow
def test_a_minute_passes_for_who_runs_and_not_for_who_is_paused(machine, boot):
    boot(2, vm("paused", [0, 1]), vm("running", [1, 0]))
    paused, running = Shell(machine, "paused").up(), Shell(machine, "running").up()
    before, (first, earliest, latest) = uptime(paused)[0], uptime(running)
    machine.send("lifecycle", "pause paused\r")
    machine.expect(event="vm.pause", vm="paused")
    machine.run_for(60)
    machine.send("lifecycle", "resume paused\r")
    machine.expect(event="vm.resume", vm="paused")
    after, (last, soonest, farthest) = uptime(paused)[0], uptime(running)
    # The host's interval is known only from outside and from inside; the guest's must lie between.
    assert (soonest - latest) * 0.995 - 0.02 <= last - first <= (farthest - earliest) * 1.005 + 0.02
    assert after - before < last - first - 59, "the minute was seen by the VM that was paused"
    for shell in (paused, running):
        assert "WRONG" not in shell.run("smoke 2")
        assert shell.run("dmesg | grep -ciE 'unstable|hung|clock skew' || true") == "0"


def uptime(shell):
    """The guest's own, and the host's clock before and after it was read."""
    begin = time.monotonic()
    value = float(shell.run("cat /proc/uptime").split()[0])
    return value, begin, time.monotonic()


@pytest.mark.slow
def test_a_vm_that_spins_leaves_the_other_its_share(machine, boot, record_figure):
    half = ("budget_us = 5000", "period_us = 10000")
    boot(1, vm("spins", [0], *half), vm("works", [0], *half), icount=True)
    spins, works = Shell(machine, "spins").up(), Shell(machine, "works").up()
    alone = int(works.run("stress count 3").split()[1])
    spins.start("while :; do :; done")
    beside = int(works.run("stress count 3").split()[1])
    record_figure("progress beside a VM that spins", round(beside / alone, 3), "of that alone")
    assert beside > 0.9 * alone
    assert beside < 1.1 * alone, "its budget does not bound it"


@pytest.mark.slow
def test_an_idle_vm_idles(machine, boot, record_figure, tmp_path):
    boot(1, vm("linux", [0]), icount=True, qemu_args=qmp.arguments(tmp_path / "qmp"))
    shell = Shell(machine, "linux").up()
    shell.run("sleep 5")
    monitor = Monitor(machine, tmp_path / "qmp")
    before, begin = listing(machine)["linux"][1], look(monitor)[1]
    machine.run_for(1)
    while (end := look(monitor)[1]) - begin < 10:
        machine.run_for(1)
    rate = (listing(machine)["linux"][1] - before) / (end - begin)
    record_figure("idle Linux, one vCPU: exits", round(rate, 1), "per second", 100)
    assert 0 < rate < 100
    monitor.close()


@pytest.mark.slow
def test_it_boots_through_firmware(machine, boot, tmp_path):
    boot(2, vm("linux", [0, 1]))  # for the image
    packed = machine.pack(tmp_path / "system.toml")
    loader = f"loader,file={packed.image},addr={IMAGE_AT:#x},force-raw=on"
    machine.boot(
        packed,
        kernel=False,
        qemu_args=["-bios", U_BOOT, "-device", loader],
        timeout=BOOT_S,
    )
    machine.expect("Hit any key", "core")
    machine.send_raw("\r")
    machine.expect(re.compile(r"=> $"), "core")
    machine.send_raw(f"booti {IMAGE_AT:#x} - $fdtcontroladdr\r")
    shell = Shell(machine, "linux").up()
    assert "WRONG" not in shell.run("smoke 2")
    assert shell.run("dmesg | grep -c 'crng init done'") == "1"


@pytest.mark.slow
def test_the_way_to_the_shell_costs_little_more_than_on_bare_metal(record_figure):
    boot = measure_boot()
    ratio = boot.vm / boot.native
    record_figure("Linux to its shell, bare metal", boot.native, "instructions")
    record_figure("Linux to its shell, in a VM from its start", boot.vm, "instructions")
    record_figure("Linux to its shell, in a VM", round(ratio, 3), "of bare metal", BARS["boot"])
    record_figure("the machine's start until then", boot.machine, "instructions")
    record_figure("of that, loading a VM of 256 MiB", boot.load, "instructions")
    assert 0.8 < ratio < BARS["boot"]


@pytest.mark.slow
def test_work_in_a_vm_costs_little_more_than_on_bare_metal(record_figure):
    for work in measure([name for name in BARS if name != "boot"]):
        what = f"Linux in a VM: {work.name}, {work.rounds} rounds"
        record_figure(what, round(work.ratio, 4), "of bare metal", work.bar)
        assert 0.9 < work.ratio < (work.bar or MOST[work.name]), work
