# SPDX-License-Identifier: MIT
"""QEMU's plugin counts what is there: a program at EL2 of which every instruction is known."""

import subprocess
import time

import pytest

from bulkhead import qemu
from bulkhead.machine import Machine
from bulkhead.stretches import Watch, longest

NOT_ICOUNT, ICOUNT = qemu.Options(), qemu.Options(icount=True)
# Three exits from EL1; what is before the first one does not count, nor what EL1 does. The second is the longest to the look, the last one
# to the ERET: it waits in a short loop around a YIELD, of which one turn counts, and is in a longer one, which is no wait for a lock.
PROGRAM = """
    .globl _start, vectors
_start: adr x0, vectors
    msr vbar_el2, x0
    mov x0, #1 << 31
    msr hcr_el2, x0
    adr x0, guest
    msr elr_el2, x0
    mov x0, #0x3c5
    msr spsr_el2, x0
    mov x3, #30
    mov x4, #100
    mov x5, #1
    mov x6, #1
    .rept 400
    nop
    .endr
    mrs x0, isr_el1
    eret
guest: hvc #0
    mov x3, #50
    hvc #0
    .rept 1000
    nop
    .endr
    mov x4, #1
    mov x3, #1
    mov x5, #700
    mov x6, #20
    hvc #0
    mov w0, #8
    movk w0, #0x8400, lsl #16
    smc #0 // PSCI: off
    .balign 2048
vectors: .space 0x400
    b handler
    .balign 2048
handler: mov x1, x3
1:  subs x1, x1, #1
    b.ne 1b
    mrs x1, isr_el1
    mov x1, x4
2:  subs x1, x1, #1
    b.ne 2b
    mov x1, x5
3:  yield
    subs x1, x1, #1
    b.ne 3b
    mov x1, x6
4:  yield
    .rept 15
    nop
    .endr
    subs x1, x1, #1
    b.ne 4b
    eret
"""
TO_LOOK = 1 + 1 + 2 * 50 + 1
TURN, LONG_TURN, TURNS, LONG_TURNS = 3, 18, 700, 20
TO_ERET = 1 + 2 * 1 + 1 + TURN + 1 + LONG_TURNS * LONG_TURN + 1  # of the last exit
WAITED = (TURNS - 1) * TURN


@pytest.fixture
def program(tmp_path):
    """Its ELF file."""
    elf, source = tmp_path / "program.elf", tmp_path / "program.S"
    source.write_text(PROGRAM)
    command = [
        "aarch64-linux-gnu-gcc",
        "-nostdlib",
        "-static",
        "-Wl,--build-id=none",
        "-Wl,-Ttext=0x40200000",
        str(source),
    ]
    subprocess.run([*command, "-o", str(elf)], check=True)
    return elf


def run(program, watched, folder, options):
    """What was counted in `program`, if the core is `watched`."""
    folder.mkdir()
    board = ("-M", "virt,virtualization=on,gic-version=3")
    command = qemu.command(qemu.Bare(program, board_qemu=board), options)
    deadline = time.monotonic() + 60
    with Machine(command + Watch(folder, watched).arguments("a program")) as machine:
        while not machine.closed and time.monotonic() < deadline:
            machine.read(0.1)
        assert machine.closed, "it does not end"
        assert "overlap" not in machine.complaints() and "plugin" not in machine.complaints()
    return longest(folder)


@pytest.mark.parametrize("options", [NOT_ICOUNT, ICOUNT])
def test_stretches_end_at_looks_and_returns(program, tmp_path, options):
    found = run(program, program, tmp_path / "found", options)
    assert [stretch.count for stretch in found] == [TO_ERET, TO_LOOK]
    to_eret, to_look = found
    assert (to_eret.waited, to_look.waited) == (WAITED, 0)
    assert len(to_eret.way) == TO_ERET, "a turn that does not count is not in the way"
    assert to_eret.start == to_look.end, "the instruction that looks"
    assert len(to_look.way) == TO_LOOK and to_look.way[0] == to_look.start
    assert to_look.start % 0x800 == 0x400, "the vector of exceptions from EL1"
    assert to_eret.way[-1] == to_eret.end
    assert to_eret.where == "a_program"


def test_other_code_at_the_same_addresses_does_not_count(program, tmp_path):
    other = tmp_path / "other.elf"
    image = program.read_bytes()
    assert image.count(b"\x1f\x20\x03\xd5") > 1000
    other.write_bytes(image.replace(bytes.fromhex("e10303aa"), bytes.fromhex("e00303aa")))
    assert other.read_bytes() != image  # the handler's first instruction is another
    found = run(program, other, tmp_path / "found", NOT_ICOUNT)
    assert TO_LOOK not in [stretch.count for stretch in found]
