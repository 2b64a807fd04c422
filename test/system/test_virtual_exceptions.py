# SPDX-License-Identifier: MIT
"""Virtual exceptions on QEMU: timers of VMs that share a core, and a virtual SError."""

import re
from pathlib import Path

import pytest

SHARED_CORE = Path(__file__).parents[1] / "systems" / "shared-core" / "system.toml"


@pytest.mark.parametrize("others", ["none", pytest.param("one that spins", marks=pytest.mark.slow)])
def test_timers_of_vms_that_share_a_core_do_not_block_each_other(machine, tmp_path, others):
    text = SHARED_CORE.read_text()
    system = tmp_path / "system.toml"
    system.write_text(text if others != "none" else text[: text.index("[vm.pair]")])
    machine.boot(system, icount=True, timeout=120)
    for vm in ("first", "second"):
        machine.expect("cntv tick 5", vm)
        machine.expect("cntp tick 5", vm)
        machine.expect(re.compile(r"ticker: ready\r?$"), vm)
        machine.expect("tick 3", vm)
    if others != "none":
        machine.expect(re.compile(r"pair: ready\r?$"), "pair")
    assert "FAILED" not in "".join(stream.text for stream in machine.streams.values())


# cortex-a72 has no RAS, and so no syndrome of a virtual SError.
@pytest.mark.parametrize(("cpu", "syndrome"), [("cortex-a72", 0), ("max", 0x155)])
def test_a_virtual_serror_waits_until_the_guest_unmasks_it(machine, cpu, syndrome):
    """Both guests spin with SError masked, and take turns; one was given an SError meanwhile."""
    machine.boot("serror", cpu=cpu, icount=True, timeout=60)
    keys = machine.expect(event="injected", partition="injector").keys
    assert keys["running"] == "bad_state", "a vCPU that runs must be paused first"
    assert (keys["pause"], keys["inject"], keys["resume"]) == ("ok", "ok", "ok")
    machine.expect("masked", "hit")
    machine.expect("unmasking", "hit")
    machine.expect("fault: SError", "hit")
    esr = int(machine.expect(re.compile("esr (0x[0-9a-f]+)"), "hit")[1], 16)
    assert esr & ~(1 << 25) == 0x2F << 26 | syndrome
    machine.expect("unmasking", "spared")
    machine.expect("no SError was pending", "spared")
    machine.expect(event="vm.off", vm="hit")
    assert "no SError" not in machine.streams["hit"].text
    assert "fault" not in machine.streams["spared"].text
    assert [event.line for event in machine.events() if event.name.startswith("fault.")] == []
