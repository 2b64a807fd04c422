# SPDX-License-Identifier: MIT
"""What the fault or the kill of a service leads to: for its native callers, for its guests, for the machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from checks import faults
from elftools.elf.elffile import ELFFile

from bulkhead.harness import Harness
from bulkhead.paths import build_folder

SYSTEMS = Path(__file__).parent.parent / "systems"
UNDEFINED = bytes(4)  # UDF #0


def test_native_callers_of_a_killed_service_are_told_and_call_again(machine: Harness) -> None:
    machine.boot("native-callers", timeout=60)
    callers = ["first", "second"]
    for kill in range(1, 4):
        machine.expect(event="hangs", source="server")
        machine.send("lifecycle", "restart server\r")
        machine.expect(event="partition.restart", partition="server", count=kill, cause="user")
        for caller in callers:
            machine.expect(event="told", source=caller, what="hang", status="server_fault")
        counts = [machine.expect(event="counted", source=caller, status="ok") for caller in callers]
        assert sorted(event.number("since_start") for event in counts) == [1, 2], "data anew"
        assert sorted(event.number("total") for event in counts) == [2 * kill - 1, 2 * kill]
    machine.expect(event="done", source="second")

    for kill in range(1, 3):
        machine.expect(event="told", source="first", what="fault", status="server_fault")
        machine.expect(event="fault.exception", partition="server")
        machine.expect(event="partition.restart", partition="server", count=3 + kill, cause="fault")
        counted = machine.expect(event="counted", source="first", status="ok")
        assert counted.number("since_start") == 1
    machine.expect(event="partition.stop", partition="server")
    machine.expect(event="told", source="first", what="fault", status="server_fault")
    machine.expect(event="counted", source="first", status="server_fault", lost=2000)
    machine.send("lifecycle", "restart server\r")
    machine.expect(event="partition.restart", partition="server", cause="user")


@pytest.fixture
def uart_fails(tmp_path: Path):
    """The exactly-once system whose uart faults once in the middle of an access, with this policy."""

    def with_policy(policy: str) -> Path:
        text = (SYSTEMS / "exactly-once" / "system.toml").read_text()
        text = text.replace('policy = "restart"', f'policy = "{policy}"')
        text = text.replace(
            "[service.uart.properties]", "[service.uart.properties]\nfault_at = 500"
        )
        path = tmp_path / "system.toml"
        path.write_text(text)
        return path

    return with_policy


def test_the_policy_stop_leaves_a_service_down_until_it_is_restarted_by_hand(
    machine: Harness, uart_fails
) -> None:
    machine.boot(uart_fails("stop"), timeout=120)
    machine.expect(event="fault.stage2", partition="uart")
    machine.expect(event="partition.stop", partition="uart")
    machine.run_for(1)
    assert not machine.events("partition.restart") and faults(machine) == {"uart"}
    machine.send("lifecycle", "restart uart\r")
    machine.expect(event="partition.restart", partition="uart", count=1, cause="user")
    for guest in ("first", "second"):
        machine.expect("interrupt done", guest)


def test_the_policy_end_ends_the_machine(machine: Harness, uart_fails) -> None:
    machine.boot(uart_fails("end"), timeout=120)
    assert machine.wait_off() == "policy"
    assert machine.transcript.off.keys["partition"] == "uart"


@pytest.fixture
def damaged(machine: Harness, tmp_path: Path):
    """Boots ticker beside the five services, one of which faults wherever it enters a function."""

    def boot(service: str, function: str) -> None:
        program = build_folder() / "services" / service / f"{service}.elf"
        image = bytearray(program.read_bytes())
        with program.open("rb") as file:
            elf = ELFFile(file)
            symbols = elf.get_section_by_name(".symtab").iter_symbols()
            (symbol,) = [found for found in symbols if re.search(function, found.name)]
            section = elf.get_section(symbol["st_shndx"])
            at = symbol["st_value"] - section["sh_addr"] + section["sh_offset"]
        image[at : at + 4] = UNDEFINED
        (tmp_path / "damaged.elf").write_bytes(image)
        services = "".join(
            f"[service.{name}]\n" for name in ("console", "uart", "timer", "gic", "lifecycle")
        )
        head = f"[service.{service}]\n"
        path = tmp_path / "system.toml"
        path.write_text(
            '[system]\nboard = "qemu-virt"\n'
            + services.replace(head, head + 'program = "damaged.elf"\n')
            + '[vm.ticker]\nimage = "@ticker"\nram_mib = 16\n'
        )
        machine.boot(path, timeout=120)

    return boot


def test_a_fault_of_lifecycle_ends_the_machine(machine: Harness, damaged) -> None:
    damaged("lifecycle", "Prompt4help")
    machine.expect("ticker: ready", "ticker")
    machine.send("lifecycle", "help\r")
    assert machine.wait_off() == "policy"
    assert machine.transcript.off.keys["partition"] == "lifecycle"
    assert len(machine.events("fault.exception", partition="lifecycle")) == 1


def test_a_console_that_faults_is_restarted_and_nothing_printed_is_lost(
    machine: Harness, damaged
) -> None:
    damaged("console", "Keyboard12control_line")
    machine.expect("ticker: ready", "ticker")
    for count in range(1, 4):
        machine.send_raw("\x1e\x00\x08focus 3\n")
        machine.expect(event="fault.exception", partition="console")
        machine.expect(event="partition.restart", partition="console", count=count, cause="fault")
        machine.send("ticker", f"hello {count}\r")
        machine.expect(f"echo: hello {count}", "ticker")
    machine.expect("ticker: tick 5", "ticker")
    found = re.findall(
        r"ticker: tick (\d+)$", "\n".join(machine.streams["ticker"].lines), re.MULTILINE
    )
    assert [int(n) for n in found] == list(range(1, len(found) + 1))


@pytest.mark.parametrize("service", ["uart", "timer", "gic"])
def test_a_vm_whose_state_cannot_be_reset_is_not_started(
    machine: Harness, damaged, service: str
) -> None:
    """lifecycle, a native caller, is told of each fault, and asks again until the service stays down."""
    damaged(service, "6detail8dispatch")
    machine.expect(event="partition.stop", partition=service)
    machine.expect(event="vm.failed", vm="ticker", reason="server_fault")
    assert len(machine.events("fault.exception", partition=service)) == 4
    assert len(machine.events("partition.restart", partition=service, cause="fault")) == 3
    assert machine.wait_off() == "policy"


def test_only_the_consoles_first_vcpu_drives_the_device(machine: Harness) -> None:
    machine.boot("console-callers", timeout=60)
    assert machine.expect(event="flushed", source="first").keys["status"] in ("ok", "again")
    machine.expect(event="flushed", source="second", status="unsupported")
