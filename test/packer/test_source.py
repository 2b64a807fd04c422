# SPDX-License-Identifier: MIT
"""Lines of keys, and texts that are no descriptions."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkhead.errors import UserError
from bulkhead.pack.source import Source, parse_source, read_source

FILE = Path("system.toml")


def parse(text: str) -> Source:
    """The source in a text."""
    return parse_source(FILE, text.encode())


def test_every_key_has_its_line() -> None:
    """Tables, dotted and quoted keys, arrays of tables, values over several lines."""
    text = """# comment
[a."b.c"]  # comment
x = 1
y = [1,
  2, { z = "]", 'w' = 3 } ]
text = '''
[no.table]
''''
[[t.u]]
k.j = "\\"#"
[[t.u]]
[t.u.v]
q = 1979-05-27T07:32:00Z
"""
    source = parse(text)
    lines = {
        ("a",): 2,
        ("a", "b.c"): 2,
        ("a", "b.c", "x"): 3,
        ("a", "b.c", "y"): 4,
        ("a", "b.c", "y", 0): 4,
        ("a", "b.c", "y", 1): 5,
        ("a", "b.c", "y", 2, "z"): 5,
        ("a", "b.c", "y", 2, "w"): 5,
        ("a", "b.c", "text"): 6,
        ("t", "u", 0): 9,
        ("t", "u", 0, "k", "j"): 10,
        ("t", "u", 1): 11,
        ("t", "u", 1, "v"): 12,
        ("t", "u", 1, "v", "q"): 13,
    }
    assert {path: source.line(path) for path in lines} == lines


def test_a_key_that_is_not_there_has_the_line_of_its_table() -> None:
    """So that a missing key can be complained of."""
    source = parse("[a]\nb = 1\n[c]\n")
    assert source.line(("c", "d", "e")) == 3
    assert source.line(("x",)) is None


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("a = 1\nb = \n", "Invalid value", 2),
        ("a = " + "[" * 5000 + "]" * 5000, "nested too deeply", None),
        ("a = " + "[" * 20 + "]" * 20, "nested too deeply", None),
        (".".join(["a"] * 3000) + " = 1", "nested too deeply", None),
        ("[" + ".".join(["a"] * 30) + "]", "nested too deeply", None),
        ("a = " + "9" * 5000, "a number of thousands of digits", None),
        ("a = 1\nb = 0x" + "f" * 5000, "'b' is a number beyond 64 bits", 2),
        ('a = "\\u0000"', "a text with a NUL character", 1),
        ('"\\u0000" = 1', "a text with a NUL character", 1),
        ("a = 1\n" * 40000, "more than 128 KiB: this is no system description", None),
    ],
)
def test_noise_is_refused(text: str, message: str, line: int | None, tmp_path: Path) -> None:
    """Nesting, huge numbers, size."""
    file = tmp_path / "system.toml"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        read_source(file)
    assert (caught.value.message, caught.value.line) == (message, line)
    assert caught.value.code in ("E001", "E004")


def test_text_that_is_not_utf8_is_refused_with_its_line() -> None:
    """Latin-1, for example."""
    with pytest.raises(UserError) as caught:
        parse_source(FILE, b"a = 1\nb = '\xe9'\n")
    assert (caught.value.message, caught.value.line) == ("not UTF-8 text", 2)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    """As a file that cannot be read."""
    with pytest.raises(UserError, match="Is a directory"):
        read_source(tmp_path)
