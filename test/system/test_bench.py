# SPDX-License-Identifier: MIT
"""The benchmark: its operations are counted, always alike, and what it counts is what is there."""

import pytest

from bulkhead.bench import report, scaling, stretch
from bulkhead.bench.measure import Bench
from bulkhead.bench.operations import BY_NAME, OPERATIONS

QUICK = ("exits", "timer", "sleep", "native", "sgi")
LEAST, MOST = 50, 20_000  # instructions; less than that is no way to a service and back
NOTHING = {"timer.end"}  # no exit at all


def count(names, folder, record_figure):
    """Instructions by operation; each into the summary."""
    folder.mkdir()
    bench = Bench(folder)
    found = {name: bench.operation(name) for name in names}
    for name, figure in found.items():
        one = BY_NAME[name]
        record_figure(f"{name}: {one.title}", report.held(one, figure), one.unit, one.bar)
    return found


def test_operations_take_few_instructions_and_always_the_same(tmp_path, record_figure):
    names = [one.name for one in OPERATIONS if one.group in QUICK]
    first = count(names, tmp_path / "first", record_figure)
    for name, figure in first.items():
        assert figure.least is not None and figure.least <= figure.mean <= figure.most, name
        if name in NOTHING:
            assert figure.el2 == 0 and figure.most < LEAST, name
        else:
            assert LEAST < figure.mean < MOST and 0 < figure.el2 <= figure.mean, name
    assert count(names, tmp_path / "second", lambda *_: None) == first


def test_the_bare_machine_has_no_exits_and_needs_no_time_for_an_interrupt(tmp_path):
    found = Bench(tmp_path).native()
    for name in ("uart.read", "uart.write", "uart.setup", "sysreg.read", "hvc", "timer.end"):
        assert 0 <= found[name].least <= found[name].most <= 1, name
    assert found["timer.deadline"].most <= 2
    assert found["sleep"].least == found["sleep"].most > 20


def test_the_way_to_the_demos_first_guest_is_always_the_same(tmp_path, record_figure):
    first, second = (count(["boot"], tmp_path / n, record_figure)["boot"] for n in ("1", "2"))
    assert first == second
    assert 100_000 < first.mean < 50_000_000


@pytest.mark.slow
def test_two_vms_take_turns(tmp_path, record_figure):
    figure = count(["switch"], tmp_path / "images", record_figure)["switch"]
    assert LEAST < figure.least <= figure.most < 5_000


def test_exits_and_calls_do_not_depend_on_the_number_of_partitions(tmp_path):
    rows = scaling.scaling(Bench(tmp_path), tmp_path)
    assert [row["partitions"] for row in rows] == list(scaling.COUNTS)
    assert scaling.uneven(rows) == []
    for name in ("boot, instructions", "EL2 memory, bytes"):
        two, some, many = (row[name] for row in rows)
        each = (many - two) / (scaling.COUNTS[2] - scaling.COUNTS[0])
        expected = two + each * (scaling.COUNTS[1] - scaling.COUNTS[0])
        assert two < some < many and abs(some - expected) < 0.15 * expected, f"{name} is no line"


@pytest.mark.slow
def test_the_longest_stretch_at_el2_is_found_and_named(tmp_path, record_figure):
    figure = stretch.stretch(Bench(tmp_path), tmp_path)
    one = BY_NAME["stretch"]
    record_figure(f"stretch: {one.title}", figure.most, one.unit, one.bar)
    assert 300 < figure.most <= one.bar
    assert figure.note.startswith("from ") and " to " in figure.note
