# SPDX-License-Identifier: MIT
"""`bulkhead bench` without a machine: names, files, tables, comparison, stretches, the page."""

import json
import re
import struct
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from bulkhead import stretches, testcommand
from bulkhead.bench import figures, operations, page, report, scaling
from bulkhead.bench.figures import Figure, Results, Tree
from bulkhead.bench.measure import BenchError, figures_of
from bulkhead.bench.operations import BY_NAME
from bulkhead.errors import UserError
from bulkhead.paths import CHECKOUT, core_elf

TREE = Tree("abc1234", 1_700_000_000, False)


def results(tree=TREE, **means):
    """Figures by name, with _ for the dot."""
    found = {name.replace("_", "."): Figure(mean) for name, mean in means.items()}
    return Results(tree, "cortex-a72", found)


# Names


def test_all_is_measured_unless_something_is_named():
    every = operations.chosen(())
    assert every[0] == "uart.read" and every[-2:] == ["scaling", "sizes"]
    assert len(every) == len(operations.OPERATIONS) + 2 == len(set(every))


def test_names_groups_and_sections_can_be_named():
    assert operations.chosen(("native",)) == ["ipc", "refused", "signals", "signals.apart"]
    assert operations.chosen(("sizes", "hvc", "ipc")) == ["hvc", "ipc", "sizes"]
    assert operations.chosen(("exits", "hvc")) == operations.chosen(("exits",))


def test_every_operation_is_explained():
    text = (CHECKOUT / "docs" / "benchmark.md").read_text()
    assert [name for name in operations.BY_NAME if f"`{name}`" not in text] == []


# Mistakes of the user


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["bench", "--only", "fly"], "error[bench-only]: --only fly: there is no such operation"),
        (["bench", "--peer", "acrn"], "error[bench-peer]: --peer acrn: there is no such peer"),
        (["bench", "--compare", "nowhere.json"], "nowhere.json: error[bench-file]: cannot read it"),
        (["bench-page", "-o", "x.html"], "Missing argument 'FILE...'"),
        (["bench-page", "nowhere.json", "-o", "x.html"], "nowhere.json: error[bench-file]"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_message_and_status_2(arguments, message, tmp_path):
    command = [CHECKOUT / "tools" / "bulkhead", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert message in done.stderr


@pytest.mark.parametrize("command", ["bench", "bench-page"])
def test_help_teaches(command):
    done = subprocess.run(
        [CHECKOUT / "tools" / "bulkhead", command, "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0 and f"tools/bulkhead {command}" in done.stdout


GOOD = {
    "format": 1,
    "tree": {"commit": "abc1234", "time": 1, "changed": False},
    "cpu": "cortex-a72",
    "operations": {"ipc": {"mean": 150}},
}


@pytest.mark.parametrize(
    "content, code, message",
    [
        ("{", "bench-json", "it is not JSON"),
        ('{\n "format": 1,\n', "bench-json", "line 3"),
        ("[" * 100_000, "bench-json", "it is not JSON"),
        (b"\xff\xfe", "bench-json", "it is no text"),
        ("[]", "bench-format", "the file: [] is not of type 'object'"),
        ("{}", "bench-format", "the file: 'format' is a required property"),
        ({**GOOD, "format": 2}, "bench-format", "its format is 2, and this tool knows 1"),
        ({**GOOD, "cpu": 72}, "bench-format", "cpu: 72 is not of type 'string'"),
        ({**GOOD, "sizes": {"text": "x"}}, "bench-format", "sizes.text: 'x' is not"),
        ({**GOOD, "operations": {"ipc": {}}}, "bench-format", "operations.ipc: 'mean' is a req"),
        ({**GOOD, "operations": {"ipc": {"mean": True}}}, "bench-format", "operations.ipc.mean"),
        ({**GOOD, "more": 1}, "bench-format", "'more' was unexpected"),
    ],
)
def test_a_damaged_file_is_told_by_its_place(content, code, message, tmp_path):
    file = tmp_path / "figures.json"
    if isinstance(content, dict):
        content = json.dumps(content)
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UserError) as caught:
        figures.read(file)
    assert caught.value.code == code and caught.value.file == file
    assert message in caught.value.render()


def test_what_is_written_is_read_again_and_always_the_same(tmp_path):
    whole = results(ipc=388.0)
    whole.operations["hvc"] = Figure(517.0, 516, 518, 287.5, "here")
    whole.sizes = {"text": 40_000}
    whole.scaling = [{"partitions": 2, "IPC": 388.0}]
    whole.peers = {"kvm": {"hvc": Figure(1554.0)}}
    figures.write(whole, tmp_path / "one.json")
    figures.write(figures.read(tmp_path / "one.json"), tmp_path / "two.json")
    assert figures.read(tmp_path / "two.json") == whole
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    with pytest.raises(UserError, match="cannot write it"):
        figures.write(whole, tmp_path)


def test_the_recorded_figures_can_be_read_and_name_operations():
    recorded = figures.read(CHECKOUT / "test" / "bench" / "recorded.json")
    assert recorded.operations.keys() <= operations.BY_NAME.keys()
    assert "uart.read" in recorded.operations


# Guests' lines


def test_figures_come_out_of_the_lines_of_any_guest():
    found = figures_of(
        [
            "[0.000001] bench: hello entered_at=5",
            "\r\r[0.000213] bench: op name=uart.read rounds=256 ticks=5120\r",
            "[0.000268] bench: op name=hvc rounds=2 ticks=1 least=8 most=12 sum=20 el2=9",
            "[    0.123456] random: crng init done",
        ]
    )
    assert found == {"uart.read": Figure(320.0), "hvc": Figure(10.0, 8, 12, 4.5)}
    assert found["hvc"].minus(Figure(2.0)) == Figure(8.0, 6, 10, 4.5)


@pytest.mark.parametrize(
    "line, code",
    [
        ("[0.000001] bench: op name=ipc rounds=0 ticks=5", "bench-line"),
        ("[0.000001] bench: op name=ipc rounds=x ticks=5", "bench-line"),
        ("[0.000001] bench: op rounds=1 ticks=5", "bench-line"),
        ("[0.000001] bench: op name=ipc rounds=1", "bench-line"),
        ("[0.000001] bench: op name=ipc rounds=1 sum=5", "bench-line"),
        ('[0.000001] bench: error what="nobody took turns"', "bench-guest"),
    ],
)
def test_a_line_without_a_figure_is_an_error(line, code):
    with pytest.raises(BenchError) as caught:
        figures_of([line])
    assert caught.value.code == code and caught.value.status == 1


# Bars and comparison


def test_bars_are_held_by_the_mean_or_by_the_maximum():
    now = results(ipc=150.0, hvc=260.5, uart_setup=9999.0)
    now.operations["stretch"] = Figure(10.0, None, 2001)
    assert report.misses(now) == ["hvc", "stretch"]


def test_a_change_of_more_than_five_per_cent_is_a_regression():
    found = report.changes(
        results(ipc=105.0, hvc=106.0, boot=90.0, refused=1.0),
        results(ipc=100.0, hvc=100.0, boot=100.0, sgi=1.0),
    )
    assert [(one.name, one.regression) for one in found] == [
        ("hvc", True),
        ("ipc", False),
        ("boot", False),
    ]
    assert report.Change("x", 0, 1).regression and not report.Change("x", 0, 0).regression


def test_a_check_fails_beyond_the_bar_and_the_record_only():
    before = results(ipc=388.0, hvc=517.0, refused=40.0)
    met_but_worse = results(refused=59.0)
    missed_as_recorded = results(ipc=388.0, hvc=520.0)
    missed_and_worse = results(ipc=420.0)
    missed_and_new = results(sgi=4000.0)
    assert report.failures(met_but_worse, before) == []
    assert report.failures(missed_as_recorded, before) == []
    assert report.failures(missed_and_worse, before) == ["ipc"]
    assert report.failures(missed_and_new, before) == ["sgi"]
    assert report.failures(missed_as_recorded, None) == ["hvc", "ipc"]


def shown(now, before=None):
    console = Console(record=True, width=160, file=open("/dev/null", "w"), force_terminal=True)
    report.show(now, before, console)
    return console.export_text()


def test_the_table_says_what_is_met():
    now = results(ipc=388.0, refused=40.25)
    now.operations["stretch"] = Figure(5027.0, None, 5027, 5027, "from here to there")
    now.peers = {"kvm": {"refused": Figure(1000.0)}}
    lines = shown(now, results(ipc=300.0, refused=40.25)).splitlines()
    row = {name: next(line for line in lines if f" {name} " in line) for name in ("ipc", "refused")}
    assert re.search(r"– │ +388 │ +– │ +– │ +150 │ +– │ NOT met", row["ipc"])
    assert re.search(r"– │ +40\.2 │ +– │ +– │ +60 │ +1,000 │ met", row["refused"])
    assert any(re.search(r"300 │ +388 │ \+29\.3% │ regression", line) for line in lines)
    assert any(re.search(r"refused +│ +40\.2 │ +40\.2 │ +same │", line) for line in lines)
    assert any("from here to there" in line for line in lines)
    assert "bulkhead: 1 of 3 bars are met; not: ipc, stretch" in lines


# Stretches (what QEMU's plugin counts is in test/system/test_stretch.py)


def record(count, start, end, way, waited=0):
    """As the plugin writes it."""
    words = [count, start, end, len(way), waited, *way]
    return struct.pack("<8192I", *words, *[0] * (8192 - len(words)))


def test_the_longest_of_all_machines_is_found(tmp_path):
    watch = stretches.Watch(tmp_path, core_elf())
    for name, records in (
        ("one", [record(5, 0x100, 0x204, [1, 2], waited=900), record(7, 0x108, 0x204, [])]),
        ("two", [record(6, 0x100, 0x204, [3], waited=30)]),
    ):
        out = watch.arguments(name)[1].partition("out=")[2]
        Path(out).write_bytes(b"".join(records))
    assert watch.arguments("three")  # one that has not begun
    found = stretches.longest(tmp_path)
    assert [(s.count, s.where, s.way) for s in found] == [(7, "one", ()), (6, "two", (3,))]
    assert [s.waited for s in found] == [0, 900], "the most of those with this start and end"


@pytest.mark.parametrize(("count", "failed"), [(2000, 0), (2001, 1)])
def test_a_stretch_beyond_the_bar_is_a_failure(tmp_path, capsys, count, failed):
    assert BY_NAME["stretch"].bar == 2000
    start = struct.unpack_from("<I", stretches.text_of(core_elf()))[0]
    out = stretches.Watch(tmp_path, core_elf()).arguments("one")[1].partition("out=")[2]
    Path(out).write_bytes(record(count, start, start + 4, [start] * 3, waited=12345))
    tally = testcommand.judge_longest(tmp_path)
    assert tally.failed == len(tally.failures) == failed
    said = capsys.readouterr().out
    assert f"the longest stretch at EL2 has {count:,} instructions; the bar is 2,000" in said
    assert "waits for another core's lock, at most 12,345 instructions" in said


def test_stretches_need_a_machine(tmp_path):
    stretches.Watch(tmp_path, core_elf()).arguments("one")  # which never came back from EL2
    tally = testcommand.judge_longest(tmp_path)
    assert tally.failed == 1 and "no test has booted a machine" in tally.failures[0]


def test_the_core_is_given_to_the_plugin_with_its_vectors(tmp_path):
    base, vectors, first = struct.unpack_from("<III", stretches.text_of(core_elf()))
    assert base <= vectors and vectors % 0x800 == 0
    image = (core_elf().parent / "core.bin").read_bytes()
    assert first == struct.unpack_from("<I", image, base - 0x4020_0000)[0]
    watch = stretches.Watch(tmp_path, core_elf())
    one, two = watch.arguments("a/b c"), watch.arguments("a/b c")
    assert one != two and "/a_b_c@" in one[1]


# Scaling and the page


@pytest.mark.parametrize("count", scaling.COUNTS)
def test_descriptions_have_so_many_partitions(count):
    for base in (scaling._UART, scaling._IPC):
        text = scaling.description(base, count, scaling._MOST_NATIVES)
        there = len(re.findall(r"^\[(service|partition|vm)\.", text, re.MULTILINE))
        assert there == max(count, len(re.findall(r"^\[(service|partition|vm)\.", base, re.M)))


def test_what_must_not_grow_is_told():
    rows = [{"UART exit": 320.0, "IPC": 388.0}, {"UART exit": 326.0, "IPC": 397.0}]
    assert scaling.uneven(rows) == ["IPC"]
    assert scaling.uneven(rows[:1]) == []


def test_the_page_plots_by_commits_and_needs_nothing_else(tmp_path):
    old = results(Tree("aaaaaaa", 100, False), ipc=388.0)
    new = results(Tree("bbbbbbb", 200, True), ipc=150.0, hvc=260.0)
    new.sizes = {"text": 40_000}
    new.scaling = [{"partitions": 2, "IPC": 388.0}, {"partitions": 64, "IPC": 388.0}]
    page.write_page([new, old], tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert text.count("<svg") == 3
    assert text.index("aaaaaaa") < text.index("bbbbbbb+")
    assert "IPC round trip, six words" in text and "40,000" in text
    assert not re.search(r"<(link|img|iframe)\b|\bsrc=|@import|url\(", text)
    with pytest.raises(UserError, match="cannot write it"):
        page.write_page([old], tmp_path)
