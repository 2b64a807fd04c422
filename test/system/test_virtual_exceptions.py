# SPDX-License-Identifier: MIT
"""Virtual exceptions on QEMU: timers of VMs that share a core, and a virtual SError."""

import re


def test_timers_of_vms_that_share_a_core_do_not_block_each_other(machine):
    machine.boot("shared-core", icount=True, timeout=120)
    for vm in ("first", "second"):
        machine.expect("cntv tick 5", vm)
        machine.expect("cntp tick 5", vm)
        machine.expect(re.compile(r"ticker: ready\r?$"), vm)
        machine.expect("tick 3", vm)
    machine.expect(re.compile(r"pair: ready\r?$"), "pair")
    assert "FAILED" not in "".join(machine.streams[vm].text for vm in ("first", "second", "pair"))


def test_a_virtual_serror_waits_until_the_guest_unmasks_it(machine):
    machine.boot("serror", icount=True, timeout=60)
    keys = machine.expect(event="injected", partition="injector").keys
    assert keys["running"] == "bad_state", "a vCPU that runs must be paused first"
    assert (keys["pause"], keys["inject"], keys["resume"]) == ("ok", "ok", "ok")
    machine.expect("unmasking", "serror")
    machine.expect("fault: SError", "serror")
    machine.expect("ticker: ready", "ticker")
    assert [event.line for event in machine.events() if event.name.startswith("fault.")] == []
