# SPDX-License-Identifier: MIT
"""The log's grammar."""

import re

import pytest
from hypothesis import given, strategies

from bulkhead.events import parse_event, parse_log


def test_an_event_has_time_source_name_and_keys():
    event = parse_event(
        '[  1.234567] core: fault.stage2 partition=probe ipa=0x80000000 why="a \\"b\\" c"'
    )
    assert event is not None
    assert (event.time_us, event.source, event.name) == (1234567, "core", "fault.stage2")
    assert event.keys == {"partition": "probe", "ipa": "0x80000000", "why": 'a "b" c'}
    assert event.number("ipa") == 0x80000000


def test_matching_compares_numbers_in_any_base_and_text_as_it_is():
    event = parse_event(
        "[0.000001] core: fault.stage2 partition=guest0 ipa=0x80000000 n=010 ok=true"
    )
    assert event is not None
    assert event.matches("fault.stage2", partition="guest0", source="core", ipa=0x80000000, ok=True)
    assert event.matches(ipa=re.compile("0x8.*"))
    assert not event.matches("fault")
    assert not event.matches(ipa=1)
    assert not event.matches(absent="x")
    assert not event.matches(n=8)  # not a number in Python's eyes, and no crash


def test_the_source_stands_for_the_partition_if_no_key_does():
    event = parse_event("[0.000001] uart: ready")
    assert event is not None and event.matches("ready", partition="uart")


def test_the_machines_end_needs_no_time():
    event = parse_event("machine: off reason=panic")
    assert event is not None and event.keys["reason"] == "panic"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "hello",
        "core: boot",
        "[1.2] core: boot",
        "[0.000001] core: Boot",
        "[0.000001] core: x a b",
        '[0.000001] core: x a="open',
        "[0.000001] core:x",
        "Hit any key: now",
    ],
)
def test_other_text_is_no_event(line):
    assert parse_event(line) is None


@given(strategies.text())
def test_no_text_makes_it_fail(text):
    parse_event(text)
    parse_event("[0.000001] core: x " + text)


def test_a_log_gives_its_events():
    log = [
        "boot\n",
        "[0.000001] core: boot cores=2\r\n",
        "[0.000002] machine: off reason=poweroff\n",
    ]
    assert [event.name for event in parse_log(log)] == ["boot", "off"]
