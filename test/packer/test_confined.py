# SPDX-License-Identifier: MIT
"""Which native partitions are confined: the decoder against binutils', the rules one by one, and what comes of it."""

from __future__ import annotations

import json
import re
import struct
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from boot_image import parse_image
from bulkhead.build import build as build_all
from bulkhead.pack import a64, pack_system, plan_system
from bulkhead.pack.confined import Breach, find_breach, find_confined, notes, refused
from bulkhead.pack.inspect import inspect_image, show_image
from bulkhead.pack.plan import Plan
from rich.console import Console

TOOLS = "aarch64-linux-gnu-"
_MARCH = ".arch armv8.8-a+rng+memtag+sme+tme+pauth+predres+sb+ssbs+profile+flagm\n"
# Allowed of the words that begin with 0xD5, as objdump says them: without registers, and a barrier without its option.
SAID = {"nop", "yield", "wfe", "wfi", "sev", "sevl", "csdb", "bti", "bti c", "bti j", "bti jc"}
SAID |= {"clrex", "dsb", "ssbb", "pssbb", "dmb", "isb", "sb", "ic ivau", "msr nzcv"}
SAID |= {f"dc {kind}" for kind in ("zva", "cvac", "cvau", "civac", "cvap", "ivac")}
SAID |= {f"mrs {timer}_el0" for timer in ("cntfrq", "cntpct", "cntvct")}
SAID |= {"mrs ctr_el0", "mrs dczid_el0", "mrs clidr_el1", "mrs ccsidr_el1", "mrs aidr_el1"}
SAID |= {"mrs nzcv", "mrs currentel", "mrs rndr", "mrs rndrrs"}
_COUNTERS = [f"pmev{kind}{index}" for kind in ("cntr", "typer") for index in range(31)]
_CONTROLS = ["pmcr", "pmcntenset", "pmcntenclr", "pmovsclr", "pmovsset", "pmswinc", "pmselr"]
_CONTROLS += ["pmceid0", "pmceid1", "pmccntr", "pmccfiltr", "pmxevtyper", "pmxevcntr"]
_CONTROLS += ["pmuserenr"]
SAID |= {f"{way} {name}_el0" for way in ("mrs", "msr") for name in _COUNTERS + _CONTROLS}
SAID |= {f"{way} pminten{kind}_el1" for way in ("mrs", "msr") for kind in ("set", "clr")}


def assembled(lines: Sequence[str], folder: Path) -> list[int]:
    """The words of instructions."""
    source, output = folder / "lines.S", folder / "lines.o"
    source.write_text(_MARCH + "\n".join(lines) + "\n")
    subprocess.run([f"{TOOLS}as", source, "-o", output], check=True)
    binary = folder / "lines.bin"
    subprocess.run([f"{TOOLS}objcopy", "-O", "binary", output, binary], check=True)
    return [word for (word,) in struct.iter_unpack("<I", binary.read_bytes())]


def disassembled(words: Sequence[int], folder: Path) -> list[str]:
    """What objdump says of words."""
    binary = folder / "words.bin"
    binary.write_bytes(struct.pack(f"<{len(words)}I", *words))
    command = [f"{TOOLS}objdump", "-D", "-z", "-b", "binary", "-m", "aarch64", binary]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [line[1] for line in re.finditer(r"^ *[0-9a-f]+:\t[0-9a-f]{8} \t(.*)$", text, re.M)]


def test_of_all_system_instructions_those_are_allowed_and_no_others(tmp_path: Path) -> None:
    """Every combination of fields, with X0 and with XZR: what binutils name like that, and the ID space."""
    words = [
        0xD500_0000 | fields << 5 | register for fields in range(1 << 17) for register in (0, 31)
    ]
    seen = set()
    for word, said in zip(words, disassembled(words, tmp_path), strict=True):
        said = re.sub(r"\s+", " ", said.split("//")[0]).strip()
        name = re.sub(r", (x0|xzr)$|(?<=mrs )(x0|xzr), ", "", said)
        if not name.endswith("nxs"):
            name = re.sub(r"^(dsb|dmb|isb|clrex)\b.*", r"\1", name)
        known = "mrs features" if word & 0xFFFF_F800 == 0xD538_0000 else name
        assert (refused(word) == "") == (known in SAID | {"mrs features"}), f"{word:#x} {said}"
        seen.add(known)
    assert seen >= SAID - {"ssbb", "pssbb"} | {"mrs features"}


def test_the_rest_of_what_begins_with_d5_is_refused() -> None:
    """SYSP, MSRR, MRRS, and what is not allocated."""
    for top in (0xD540_0000, 0xD580_0000, 0xD5C0_0000):
        for fields in range(0, 1 << 22, 127):
            assert refused(top | fields)


def test_returns_are_refused_and_branches_are_not() -> None:
    """All words of `opc` 0100 and 0101, allocated or not; RET, BR and BLR begin with the same byte."""
    for fields in range(0, 1 << 21, 31):
        assert refused(0x6B4 << 21 | fields) and refused(0x6B5 << 21 | fields)
    for word in (0xD65F_03C0, 0xD61F_0000, 0xD63F_0000, 0xD65F_0BFF, 0xD4000001, 0xD400_0002, 0):
        assert refused(word) == ""


def test_names_are_the_assemblers(tmp_path: Path) -> None:
    """Each name in the tables, assembled, has the encoding that it stands for."""
    write_only, of_all = re.compile("icc_(eoir|sgi)|oslar|pmswinc"), re.compile("ic iallu|.*all")
    lines = [f"{name}, x0" if not of_all.match(name) else name for name in a64.OPERATIONS.values()]
    for name in a64.REGISTERS.values():
        lines.append(f"msr {name}, x0" if write_only.match(name) else f"mrs x0, {name}")
    texts = [a64.text(word) for word in assembled(lines, tmp_path)]
    assert texts == [re.sub(", x0|x0, ", "", line) for line in lines]


# One that is allowed and one that is not, for each rule: as the assembler knows them (what it knows not, as a word).
RULES = [
    ("nop", "esb"),
    ("yield", "hint #40"),
    ("wfe", ".inst 0xd5031000 // wfet x0"),
    ("wfi", ".inst 0xd5031020 // wfit x0"),
    ("sev", "psb csync"),
    ("csdb", "xpaclri"),
    ("bti c", "paciasp"),
    ("clrex", "tcommit"),
    ("dsb ish", "dsb ishnxs"),
    ("dmb ishld", "tstart x0"),
    ("isb", "cfinv"),
    ("sb", ".inst 0xd50331ff // sb with a CRm"),
    ("mrs x0, cntpct_el0", "mrs x0, cntp_ctl_el0"),
    ("mrs x0, cntvct_el0", "mrs x0, cntv_ctl_el0"),
    ("mrs x0, cntfrq_el0", "msr cntfrq_el0, x0"),
    ("mrs x0, ctr_el0", "mrs x0, tpidr_el0"),
    ("mrs x0, dczid_el0", "mrs x0, tpidrro_el0"),
    ("mrs x0, midr_el1", "mrs x0, sctlr_el1"),
    ("mrs x0, mpidr_el1", "mrs x0, tpidr_el1"),
    ("mrs x0, id_aa64mmfr0_el1", ".inst 0xd5380800 // mrs x0, s3_0_c0_c8_0"),
    ("mrs x0, clidr_el1", "mrs x0, csselr_el1"),
    ("mrs x0, ccsidr_el1", "msr csselr_el1, x0"),
    ("mrs x0, aidr_el1", "mrs x0, vbar_el1"),
    ("mrs x0, nzcv", "mrs x0, daif"),
    ("msr nzcv, x0", "msr daif, x0"),
    ("mrs x0, rndr", "msr s3_3_c2_c4_0, x0"),
    ("mrs x0, currentel", "mrs x0, spsel"),
    ("mrs x0, pmccntr_el0", "mrs x0, s3_3_c9_c13_3"),
    ("msr pmintenset_el1, x0", "msr s3_0_c9_c14_6, x0"),
    ("msr pmevcntr30_el0, x0", "msr s3_3_c14_c11_7, x0"),
    ("mrs x0, pmevtyper30_el0", "mrs x0, par_el1"),
    ("dc zva, x0", "dc isw, x0"),
    ("dc cvac, x0", "dc csw, x0"),
    ("dc cvau, x0", "at s1e1r, x0"),
    ("dc civac, x0", "at s12e1r, x0"),
    ("dc cvap, x0", "dc cvadp, x0"),
    ("dc ivac, x0", "dc cisw, x0"),
    ("ic ivau, x0", "ic iallu"),
    ("bl .", "tlbi vmalle1"),
    ("ldr x0, [sp]", "tlbi vae1is, x0"),
    ("stp x0, x1, [sp]", "cfp rctx, x0"),
    ("cas x0, x1, [x2]", "sysl x0, #3, c7, c5, #1"),
    ("svc #0", "msr daifset, #2"),
    ("hvc #2", "msr spsel, #0"),
    ("smc #0", "msr pan, #1"),
    ("brk #0", "smstart"),
    ("hlt #0", "mrs x0, disr_el1"),
    ("ret", "eret"),
    ("br x0", "drps"),
    ("blr x0", "eretaa"),
    ("retaa", "eretab"),
    (".inst 0xd4a00001 // dcps1", ".inst 0xd5500000 // msrr"),
    (".inst 0 // udf", ".inst 0xd5480000 // sysp"),
]


@pytest.mark.parametrize(("allowed", "denied"), RULES)
def test_rule(allowed: str, denied: str, tmp_path: Path) -> None:
    """One of each."""
    first, second = assembled([allowed, denied], tmp_path)
    assert refused(first) == ""
    assert refused(second)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("msr tpidr_el0, x7", "msr tpidr_el0"),
        ("mrs x7, s3_0_c12_c3_5", "mrs s3_0_c12_c3_5"),
        ("tlbi vmalle1", "tlbi vmalle1"),
        ("sys #6, c8, c7, #0", "sys #6, c8, c7, #0"),
        ("sysl x1, #3, c7, c5, #1", "sysl #3, c7, c5, #1"),
        ("msr daifset, #2", "msr daifset, #2"),
        ("esb", "esb"),
        ("hint #40", "hint #40"),
        ("eret", "eret"),
        ("eretaa", "eretaa"),
        ("eretab", "eretab"),
        ("drps", "drps"),
        (".inst 0xd5500000", ".inst 0xd5500000"),
        (".inst 0xd69f03e1", ".inst 0xd69f03e1"),
    ],
)
def test_what_is_refused_is_named(line: str, name: str, tmp_path: Path) -> None:
    """As one would write it."""
    (word,) = assembled([line], tmp_path)
    assert refused(word) == name


def test_the_first_is_told_with_its_place_and_how_many_more_there_are() -> None:
    """Wherever they are; a piece of a word at the end counts with the zeros behind it."""
    msr, nop, udf = (struct.pack("<I", word) for word in (0xD51BD040, 0xD503201F, 0xD5))
    code = [(0x1000, nop + msr + nop), (0x8000, udf + msr + msr[:3])]
    breach = find_breach(code, lambda address: "reach" if address == 0x1004 else "")
    assert breach == Breach("msr tpidr_el0", 0x1004, "reach", 1)
    assert str(breach) == "msr tpidr_el0 at 0x1004, in reach, and 1 more"
    assert find_breach([(0, nop + msr[:3]), (0x1000, b""), (0x2000, udf)], lambda _: "") is None
    assert str(Breach("eret", 0x10, "", 0)) == "eret at 0x10"


def reason(plan: Plan, name: str) -> str:
    """Why a partition of a plan is not confined."""
    partition = plan.partitions[name]
    assert partition.confined == (partition.unconfined_because == "")
    return partition.unconfined_because


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("[partition.one]\nconfined = true\n", ""),
        (
            '[partition.one]\nprogram = "@unconfined"\n',
            "msr tpidr_el0 at 0x1000c, in reach, and 1 more",
        ),
        (
            '[partition.one]\nmemory = { box = "rx" }\n[memory.box]\nsize_kib = 4\n',
            "memory.shared.box is executable there",
        ),
        (
            '[partition.one]\nmemory = { box = "rx" }\n[partition.two]\nmemory = { box = "rw" }\n'
            "[memory.box]\nsize_kib = 4\n",
            "memory.shared.box is executable there",
        ),
        ('[partition.one]\nmemory = { box = "rw" }\n[memory.box]\nsize_kib = 4\n', ""),
        (
            '[partition.one]\ngrants = [{ partition = "self", rights = ["map"] }, '
            '{ memory = "box", rights = ["execute"] }]\n[memory.box]\nsize_kib = 4\n',
            "it may map executable memory into itself",
        ),
        (
            '[partition.one]\n[partition.two]\ngrants = [{ partition = "one", rights = ["map"] }, '
            '{ memory = "box", rights = ["all"] }]\n[memory.box]\nsize_kib = 4\n',
            "'two' may map executable memory into it",
        ),
        (
            '[partition.one]\ngrants = [{ partition = "self", rights = ["map"] }, '
            '{ memory = "box", rights = ["read", "write", "map"] }]\n[memory.box]\nsize_kib = 4\n',
            "",
        ),
    ],
)
def test_a_description_tells_who_is_confined(
    text: str, because: str, write: Callable[[str], Path], build: Path
) -> None:
    """By its program, and by what may be executable there beside it."""
    _, plan, _ = plan_system(write(text), build=build)
    assert reason(plan, "one") == because


def test_nobody_else_may_have_a_confined_programs_text(
    write: Callable[[str], Path], build: Path
) -> None:
    """No capability, and no mapping that can be written; a description gives neither, a later packer might."""
    file = write("[partition.one]\n[partition.two]\n")
    _, plan, _ = plan_system(file, build=build)
    one, two = plan.partitions["one"], plan.partitions["two"]
    text = next(mapping.memory for mapping in one.mappings if mapping.access == "rx")
    share = plan.derive(text, "one.text@two")
    breaches: dict[str, Breach | None] = {"one": None, "two": None}
    mapping = plan.map(two, share, 0x8000_0000, "r")
    find_confined(plan, breaches)
    assert (reason(plan, "one"), reason(plan, "two")) == ("", "")
    two.mappings.remove(mapping)
    plan.map(two, share, 0x8000_0000, "rw")
    find_confined(plan, breaches)
    assert reason(plan, "one") == "'two' may write memory.one.text@two"
    two.mappings.pop()
    for memory in (text, share):
        plan.grant(two, memory.object, ("read",))
        find_confined(plan, breaches)
        assert reason(plan, "one") == f"'two' holds {memory.object.name}"
        two.capabilities.pop()


def test_a_stripped_program_has_no_names(
    write: Callable[[str], Path], build: Path, tmp_path: Path
) -> None:
    """Then the address has to do."""
    program = build / "services" / "unconfined" / "unconfined.elf"
    subprocess.run([f"{TOOLS}strip", program, "-o", tmp_path / "bare.elf"], check=True)
    _, plan, _ = plan_system(write('[partition.one]\nprogram = "bare.elf"\n'), build=build)
    assert reason(plan, "one") == "msr tpidr_el0 at 0x1000c, and 1 more"


MIXED = '[service.block]\n[service.unconfined]\n[vm.guest]\nimage = "@guest"\nram_mib = 16\n'
MIXED += "uart = false\ngic = false\ntimer = false\n"
WHY = "msr tpidr_el0 at 0x1000c, in reach, and 1 more"


def test_the_core_and_the_reader_are_told(
    write: Callable[[str], Path],
    build: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Bit 9 of the partition's record; the manifest, `inspect`, and a note."""
    file, output = write(MIXED), tmp_path / "system.img"
    packed = pack_system(file, output, build=build)
    note = f"bulkhead: note: 'unconfined' is not confined ({WHY}): its requests take the longer way"
    assert packed.notes == [note]
    _, plan, core = plan_system(file, build=build)
    assert notes(plan) == [note]
    image = parse_image(plan.abi, output.read_bytes(), len(core.data))
    flags = {one["name"]: one["head"]["flags"] for one in image.of("partition")}
    assert {name: bool(flag & 1 << 9) for name, flag in flags.items()} == {
        "block": True,
        "unconfined": False,
        "guest": False,
    }
    report = inspect_image(output)
    json.dumps(report)
    assert {one["name"]: one["confined"] for one in report["partitions"]} == {
        "block": True,
        "unconfined": False,
        "guest": None,
    }
    assert [one["unconfined_because"] for one in report["partitions"]] == ["", WHY, ""]
    show_image(report, Console(highlight=False, width=200))
    shown = capsys.readouterr().out
    assert "on a fault: end, confined)" in shown
    assert f"on a fault: end, not confined: {WHY})" in shown


def test_brackets_in_a_functions_name_are_shown(write: Callable[[str], Path], build: Path) -> None:
    """`inspect` takes them for no markup of its own."""
    file = write("[partition.one]\n")
    output = file.with_name("system.img")
    pack_system(file, output, build=build)
    report = inspect_image(output)
    report["partitions"][0] |= {"confined": False, "unconfined_because": "eret, in operator[/red]"}
    console = Console(highlight=False, width=200, record=True)
    show_image(report, console)
    assert "not confined: eret, in operator[/red])" in console.export_text()


@pytest.mark.parametrize(
    ("program", "confined"),
    [(f"services/{name}/{name}.elf", True) for name in ("console", "uart", "timer", "gic")]
    + [(f"services/{name}/{name}.elf", True) for name in ("lifecycle", "virtio-console")]
    + [("partitions/bench-native/bench-native.elf", True)]
    + [
        (f"test/guests/{name}/{name}.elf", True)
        for name in ("between", "caller", "injector", "ipc")
    ]
    + [(f"test/guests/{name}/{name}.elf", False) for name in ("burglar", "hostile", "unconfined")],
)
def test_bulkheads_own_programs(
    program: str, confined: bool, write: Callable[[str], Path], build: Path
) -> None:
    """The services are confined; who attacks in the tests is not."""
    file = write(f'[partition.one]\nprogram = "{build_all() / program}"\n')
    _, plan, _ = plan_system(file, build=build)
    assert (reason(plan, "one") == "") == confined, reason(plan, "one")
