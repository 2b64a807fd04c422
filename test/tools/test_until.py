# SPDX-License-Identifier: MIT
"""The patterns of `run --until`."""

import pytest

from bulkhead.errors import UserError
from bulkhead.streams import Stream
from bulkhead.until import Until

KNOWN = ("u-boot", "ticker")


def test_a_partitions_name_confines_the_pattern():
    until = Until("u-boot:=> $")
    until.see("ticker", "=> ")
    assert not until.matched
    until.see("u-boot", "=> ")
    assert until.matched


def test_a_partition_that_is_not_there_is_the_users_mistake():
    until = Until("uboot:=> ")
    with pytest.raises(UserError, match="there is no partition 'uboot'") as caught:
        until.check(KNOWN)
    assert "there are u-boot, ticker" in caught.value.hint and r"'uboot\:'" in caught.value.hint
    until.check(())  # the names are not known
    Until("ticker:tick").check(KNOWN)
    Until("tick").check(KNOWN)


def test_a_colon_of_the_expression_is_escaped():
    until = Until(r"error\: .* lost")
    until.check(KNOWN)
    until.see("ticker", "error: a byte lost")
    assert until.matched


def test_a_line_without_an_end_counts_once_it_is_quiet():
    stream = Stream("u-boot")
    stream.feed(b"\x1b[1m=> \x1b[0m", now=10.0)
    until = Until("u-boot:^=> $")
    until.see_prompt(stream, 10.01)
    assert not until.matched
    until.see_prompt(stream, 10.5)
    assert until.matched


def test_a_bad_pattern_is_the_users_mistake():
    with pytest.raises(UserError, match="'u-boot:\\(' is no regular expression"):
        Until("u-boot:(")
