# SPDX-License-Identifier: MIT
"""Virtual exceptions on QEMU: timers of VMs that share a core."""

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
