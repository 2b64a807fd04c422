# SPDX-License-Identifier: MIT
"""The patterns of `run --until`."""

import pytest

from bulkhead.errors import UserError
from bulkhead.streams import Stream
from bulkhead.until import Until

KNOWN = ("u-boot", "ticker")


def test_a_partitions_name_confines_the_pattern():
    until = Until("u-boot:=> $")
    until.see("ticker", "=> ", KNOWN)
    assert not until.matched
    until.see("u-boot", "=> ", KNOWN)
    assert until.matched


def test_a_colon_after_no_partitions_name_belongs_to_the_pattern():
    until = Until("error: .* lost")
    until.see("ticker", "error: a byte lost", KNOWN)
    assert until.matched


def test_a_line_without_an_end_counts_once_it_is_quiet():
    stream = Stream("u-boot")
    stream.feed(b"\x1b[1m=> \x1b[0m", now=10.0)
    until = Until("u-boot:^=> $")
    until.see_prompt(stream, 10.01, KNOWN)
    assert not until.matched
    until.see_prompt(stream, 10.5, KNOWN)
    assert until.matched


def test_a_bad_pattern_is_the_users_mistake():
    with pytest.raises(UserError, match="'u-boot:\\(' is no regular expression"):
        Until("u-boot:(")
