# SPDX-License-Identifier: MIT
"""One tiny bad system per rule: bad/*.toml, each ending with the words that it must lead to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bulkhead.errors import UserError
from bulkhead.pack import plan_system

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
BAD = sorted((HERE / "bad").glob("*.toml"))
MARK = "#! "


@pytest.mark.parametrize("file", BAD, ids=[file.stem for file in BAD])
def test_bad_system_is_refused_in_these_words(file: Path, build: Path) -> None:
    """Code, lines, message, second places and hints, all of it."""
    lines = file.read_text().splitlines()
    wanted = [line.removeprefix(MARK) for line in lines if line.startswith(MARK)]
    with pytest.raises(UserError) as caught:
        plan_system(file, build=build)
    said = caught.value.render().replace(f"{file}:", "line ").replace(f"{file.parent}/", "")
    said = said.replace(f"{CHECKOUT}/", "").replace(str(build), "BUILD")
    assert said.splitlines() == wanted
    assert caught.value.code == file.name[:4]
    assert caught.value.status == 2


def test_every_code_is_documented_and_tested() -> None:
    """A code in the packer has a row in the documentation and a test that names it."""
    folder = CHECKOUT / "tools" / "lib" / "bulkhead" / "pack"
    source = "".join(path.read_text() for path in folder.rglob("*.py"))
    codes = set(re.findall(r'"(E\d{3})"', source))
    text = (CHECKOUT / "docs" / "system-description.md").read_text()
    assert codes == set(re.findall(r"^\| (E\d{3}) \|", text, re.MULTILINE))
    tests = "".join(path.read_text() for path in HERE.glob("test_*.py"))
    tested = {path.name[:4] for path in BAD} | set(re.findall(r'"(E\d{3})"', tests))
    assert codes <= tested
