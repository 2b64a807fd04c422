# SPDX-License-Identifier: MIT
"""A panic's dump is unwound without frame pointers: a program really runs, really dumps, and its frames are named."""

import re
import subprocess
from pathlib import Path

import pytest

from bulkhead.errors import UserError
from bulkhead.qemu import Bare
from bulkhead.symbolize import Symbolizer, describe, panics

PROGRAM = r"""
using Word = unsigned long;
static void put(char c) { *reinterpret_cast<volatile unsigned*>(0x09000000) = c; }
static void put(const char* text) { while (*text) put(*text++); }
static void hex(Word value) { for (int at = 60; at >= 0; at -= 4) put("0123456789abcdef"[value >> at & 15]); }
extern "C" char stack_top[];

extern "C" [[noreturn]] void dump(Word const* registers) {
    put("core: panic cpu=0 what=test\n");
    for (int i = 0; i < 31; ++i) {
        put("core: reg x");
        if (i > 9) put(static_cast<char>('0' + i / 10));
        put(static_cast<char>('0' + i % 10)); put("=0x"); hex(registers[i]); put("\n");
    }
    put("core: reg pc=0x"); hex(registers[32]); put(" sp=0x"); hex(registers[31]); put("\n");
    for (Word at = registers[31]; at < reinterpret_cast<Word>(stack_top); at += 32) {
        put("core: stack 0x"); hex(at);
        for (int i = 0; i < 4; ++i) { put(' '); hex(reinterpret_cast<Word const*>(at)[i]); }
        put("\n");
    }
    put("core: panic end\n");
    for (;;) asm volatile("wfi");
}
extern "C" void die();

namespace deep {
struct Thing { int value; };
[[gnu::noinline]] int third(Thing& thing, int depth) {
    volatile char room[200];
    room[depth] = static_cast<char>(thing.value);
    if (depth > 3) die();                                   // LINE third
    return third(thing, depth + 1) + room[depth];           // LINE again
}
[[gnu::noinline]] int second(int a) {
    Thing thing{a};
    return third(thing, 2) * a;                             // LINE second
}
}
extern "C" [[gnu::noinline]] int first(int a) { return deep::second(a + 1) + a; }  // LINE first
"""

START = r"""
    .globl _start, die
_start:
    ldr x0, =stack_top
    mov sp, x0
    mov x29, #0x1234
    mov w0, #5
    bl first
1:  b 1b
// Leaves all registers as they were in a block below the stack: x0..x30, sp, pc.
    .type die, %function
die:
    .cfi_startproc
    stp x0, x1, [sp, #-272]
    sub x0, sp, #272
    stp x2, x3, [x0, #16]
    stp x4, x5, [x0, #32]
    stp x6, x7, [x0, #48]
    stp x8, x9, [x0, #64]
    stp x10, x11, [x0, #80]
    stp x12, x13, [x0, #96]
    stp x14, x15, [x0, #112]
    stp x16, x17, [x0, #128]
    stp x18, x19, [x0, #144]
    stp x20, x21, [x0, #160]
    stp x22, x23, [x0, #176]
    stp x24, x25, [x0, #192]
    stp x26, x27, [x0, #208]
    stp x28, x29, [x0, #224]
    mov x1, sp
    stp x30, x1, [x0, #240]
    adr x1, die
    str x1, [x0, #256]
    mov sp, x0
    b dump
    .cfi_endproc
    .size die, . - die
    .bss
    .balign 16
    .skip 8192
    .globl stack_top
stack_top:
"""

TABLES = {
    "debug_frame": ["-fno-asynchronous-unwind-tables", "-fno-unwind-tables"],
    "eh_frame": ["-fasynchronous-unwind-tables"],
}


@pytest.fixture(params=sorted(TABLES))
def program(request, tmp_path) -> Path:
    (tmp_path / "program.cpp").write_text(PROGRAM)
    (tmp_path / "start.S").write_text(START)
    elf = tmp_path / "program.elf"
    command = ["aarch64-linux-gnu-g++", "-O2", "-g", "-ffreestanding", "-fomit-frame-pointer"]
    command += [
        "-fno-exceptions",
        "-fno-rtti",
        "-mgeneral-regs-only",
        "-fno-pie",
        "-no-pie",
        "-static",
    ]
    command += ["-nostdlib", "-Wl,-Ttext=0x40080000", "-Wl,--build-id=none", *TABLES[request.param]]
    sources = [str(tmp_path / "start.S"), str(tmp_path / "program.cpp")]
    subprocess.run([*command, "-o", str(elf), *sources], check=True)
    return elf


def line_of(mark: str) -> int:
    return next(n for n, line in enumerate(PROGRAM.splitlines(), 1) if f"// LINE {mark}" in line)


def test_every_frame_is_named_with_its_line(machine, program):
    machine.boot(Bare(program), may_panic=True)
    machine.expect("core: panic end", "core")
    text = describe(machine.transcript.panic, program)
    assert text[0] == "panic: cpu=0 what=test"
    found = [
        re.search(r"#\d+ +0x[0-9a-f]+ (.*)\+0x[0-9a-f]+(?: at (.*))?", line) for line in text[1:]
    ]
    names = [match[1].split("(")[0] for match in found]
    assert names == [
        "die",
        "deep::third",
        "deep::third",
        "deep::third",
        "deep::second",
        "first",
        "_start",
    ]
    marks = ["third", "again", "again", "second", "first"]
    for match, mark in zip(found[1:], marks):
        assert match[2].endswith(f"program.cpp:{line_of(mark)}"), match[0]


def test_a_saved_log_with_tags_and_colours_is_understood(tmp_path):
    log = [
        "\x1b[36mcore       | \x1b[0m[  0.000001] core: boot\n",
        "\x1b[36mcore       | \x1b[0mcore: panic cpu=1 partition=uart what=handle\n",
        "core       | core: reg x0=0x1 x30=0x40080004 pc=0x40080000 sp=0x40090000\n",
        "core       | core: stack 0x40090000 1111111111111111 2222222222222222\n",
        "core       | core: panic end\n",
        "core: panic again\n",
    ]
    first, second = panics(log)
    assert first.what == "cpu=1 partition=uart what=handle" and first.pc == 0x40080000
    assert first.registers == {0: 1, 30: 0x40080004, 31: 0x40090000}
    assert first.stack == {0x40090000: 0x1111111111111111, 0x40090008: 0x2222222222222222}
    assert second.what == "again"


def test_a_wild_pc_or_stack_does_no_harm(program):
    symbolizer = Symbolizer(program)
    log = [
        "core: panic x",
        "core: reg pc=0xdeadbeefdeadbeef sp=0x3 x30=0x40080010",
        "core: stack 3 ff",
    ]
    frames = symbolizer.frames(panics(log)[0])
    assert frames[0].endswith("??")
    for sp in (0, 0x40090001, (1 << 64) - 8):
        log = ["core: panic x", f"core: reg pc=0x40080010 sp={sp:#x} x30=0x40080010"]
        assert symbolizer.frames(panics(log)[0])


def test_mistakes_are_named(tmp_path):
    log = ["core: panic x", "core: panic end"]
    with pytest.raises(UserError, match="cannot read"):
        describe(log, tmp_path / "none.elf")
    (tmp_path / "text").write_text("no elf")
    with pytest.raises(UserError, match="is no ELF file"):
        describe(log, tmp_path / "text")
    assert describe(["all is well"], tmp_path / "none.elf") == []
