# SPDX-License-Identifier: MIT
"""Who touches what is not its own gets a fault that the log names, and nobody else notices."""

import re

import pytest
from checks import faults

from bulkhead.pack.manifest import read_manifest

NOBODYS = 0x0B000000
RTC = 0x09010000  # owner's
GIC = 0x08000000
UART = 0x09000000
BOOK, BOX = 0x04000000, 0x05000000  # trespass's memory that is not writable, not executable
TEXT, ENVIRONMENT, STACK = 0x00400000, 0x60000000, 0x70000000  # of a native partition
REGIONS = ["core", "boot table", "lifecycle.state", "ticker.tx", "pool", "ticker.ram"]


@pytest.fixture
def isolation(machine):
    """The system with a guest that ticks beside those who touch."""
    machine.boot("isolation", timeout=60)
    machine.expect("ticker: ready", "ticker")
    return machine


def physical(machine):
    """Where others' memory is, in physical addresses."""
    manifest, _ = read_manifest(machine.pack("isolation").image)
    bases = {region["name"]: region["base"] for region in manifest["memory"]}
    return [bases[name] for name in REGIONS]


def others_go_on(machine, *touchers):
    """The ticker's lines are whole and in order; nobody but `touchers` has faulted; the machine ends by order."""
    for _ in range(2):
        machine.expect(re.compile(r"ticker: tick \d+"), "ticker")
    said = machine.streams["ticker"].text
    lines = said[said.index("ticker: ready") : said.rindex("\n")].splitlines()[1:]
    assert len(lines) >= 2
    for number, line in enumerate(lines, 1):
        assert re.fullmatch(rf"\[\d+\.\d{{6}}\] ticker: tick {number}\r?", line), line
    machine.send("ticker", "still here\r")
    machine.expect("echo: still here", "ticker")
    machine.send("lifecycle", "poweroff\r")
    assert machine.wait_off() == "poweroff"
    assert faults(machine) == set(touchers)


def test_a_guest_that_leaves_its_memory_faults_and_nobody_notices(isolation):
    machine = isolation
    machine.expect("trespass: ready", "trespass")
    for way, address, reason, access in (
        ("ldr", NOBODYS, "stage2", "read"),
        ("str", NOBODYS + 8, "stage2", "write"),
        ("call", NOBODYS, "stage2", "execute"),
        ("ldp", 0x6000000000, "stage2", "read"),
        ("dc-zva", NOBODYS, "stage2", "write"),
        ("ldr", RTC, "stage2", "read"),
        *(("ldr", base, "stage2", "read") for base in physical(machine)),
        ("str", BOOK, "permission", "write"),
        ("call", BOX, "permission", "execute"),
        ("ldp", UART, "undecodable", "read"),
        ("stp", UART, "undecodable", "write"),
        ("post-index", UART, "undecodable", "write"),
        ("ldxr", UART, "undecodable", "read"),
        ("ldr-q", UART, "undecodable", "read"),
        ("dc-zva", UART, "undecodable", "write"),
        ("ldp", GIC, "undecodable", "read"),
    ):
        machine.send("trespass", f"{way} {address:x}\r")
        machine.expect(event=f"fault.{reason}", partition="trespass", ipa=address, access=access)
        machine.expect(event="vm.reset", vm="trespass", cause="fault")
        machine.expect("trespass: ready", "trespass")
    others_go_on(machine, "trespass")


def test_what_a_guest_may_not_execute_is_undefined_there(isolation):
    machine = isolation
    for line in ("vttbr_el2", "hvc", "udf"):
        machine.expect("trespass: ready", "trespass")
        machine.send("trespass", line + "\r")
        machine.expect("fault: undefined instruction", "trespass")
        machine.expect(event="vm.off", vm="trespass")
        machine.send("lifecycle", "start trespass\r")
    machine.expect("trespass: ready", "trespass")
    others_go_on(machine)


def test_what_a_guest_may_do_it_can(isolation):
    """Among it, to an emulated device, what is misaligned or reaches into the next page: the service answers."""
    machine = isolation
    machine.expect("trespass: ready", "trespass")
    lines = [
        f"ldr {BOOK:x}",
        f"str {BOX:x}",
        f"ldr {BOX:x}",
        f"ldr {UART + 0x18:x}",
        f"ldr {GIC:x}",
    ]
    lines += [f"ldr {UART + 0x19:x}", f"str {UART + 0x22:x}", f"str {GIC + 2:x}"]
    for line in lines:
        machine.send("trespass", line + "\r")
        machine.expect(f"{line} went well", "trespass")
    others_go_on(machine)


def test_a_native_partition_that_leaves_its_memory_faults_and_nobody_notices(isolation):
    machine = isolation
    machine.expect(event="ready", source="burglar")
    for way, address, reason, access in (
        ("ldr", NOBODYS, "stage2", "read"),
        ("ldr", UART, "stage2", "read"),
        ("str", RTC, "stage2", "write"),
        ("ldr", GIC, "stage2", "read"),
        *(("ldr", base, "stage2", "read") for base in physical(machine)),
        *(("str", base, "stage2", "write") for base in physical(machine)),
        ("call", physical(machine)[0], "stage2", "execute"),
        ("str", TEXT, "permission", "write"),
        ("str", ENVIRONMENT, "permission", "write"),
        ("call", ENVIRONMENT, "permission", "execute"),
        ("str", STACK - 0x1000, "stage2", "write"),
    ):
        machine.send("burglar", f"{way} {address:x}\r")
        machine.expect(event=f"fault.{reason}", partition="burglar", ipa=address, access=access)
        machine.expect(event="partition.restart", partition="burglar", cause="fault")
        machine.expect(event="ready", source="burglar")
    for way, reason in (
        ("udf", "exception"),
        ("vttbr_el2", "exception"),
        ("sctlr_el1", "synchronous"),
        (f"ldr-q {STACK:x}", "synchronous"),
    ):
        machine.send("burglar", way + "\r")
        machine.expect(event=f"fault.{reason}", partition="burglar")
        machine.expect(event="ready", source="burglar")
    others_go_on(machine, "burglar")


def test_policy_stop_keeps_the_partition_off(isolation):
    machine = isolation
    machine.expect(event="ready", source="owner")
    machine.send("owner", f"ldr {NOBODYS:x}\r")
    machine.expect(event="fault.stage2", partition="owner", ipa=NOBODYS)
    machine.expect(event="partition.stop", partition="owner")
    others_go_on(machine, "owner")


def test_policy_end_ends_the_machine(isolation):
    machine = isolation
    machine.expect(event="ready", source="vital")
    machine.send("vital", f"ldr {NOBODYS:x}\r")
    machine.expect(event="fault.stage2", partition="vital", ipa=NOBODYS)
    assert machine.wait_off() == "policy"
