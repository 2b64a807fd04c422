# SPDX-License-Identifier: MIT
"""The escape key of `run`."""

from bulkhead.keys import Action, Key, Keyboard


def test_plain_keys_go_to_the_partition():
    assert Keyboard().feed(b"ab\x01\x1d\x1e") == [Key(Action.SEND, b"ab\x01\x1d\x1e")]


def test_the_escape_key_takes_the_next_one():
    keyboard = Keyboard()
    assert keyboard.feed(b"a\x1cn\x1c3b") == [
        Key(Action.SEND, b"a"),
        Key(Action.NEXT),
        Key(Action.STREAM, number=3),
        Key(Action.SEND, b"b"),
    ]


def test_it_may_come_in_two_pieces():
    keyboard = Keyboard()
    assert keyboard.feed(b"\x1c") == []
    assert keyboard.feed(b"q") == [Key(Action.QUIT)]


def test_twice_sends_it_once():
    assert Keyboard().feed(b"a\x1c\x1cb") == [Key(Action.SEND, b"a\x1cb")]


def test_an_unknown_letter_helps():
    assert Keyboard().feed(b"\x1cp\x1cz") == [Key(Action.PROMPT), Key(Action.HELP)]
