# SPDX-License-Identifier: MIT
"""Whatever the description, the packer packs it or says what is wrong: it neither crashes nor loops."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis
import hypothesis.strategies as st

from bulkhead.errors import UserError
from bulkhead.pack import plan_system
from bulkhead.pack.shape import SCHEMA

SETTINGS = hypothesis.settings(suppress_health_check=list(hypothesis.HealthCheck), max_examples=150)
DEMO = (Path(__file__).parents[2] / "partitions" / "demo" / "system.toml").read_text()
SCHEMA_DATA = json.loads(SCHEMA.read_text())
NAMES = ["one", "two", "guest", "block", "uart", "lifecycle", "box", "rtc", "tick", "virtio"]
TEXTS = st.sampled_from([*NAMES, "@one", "@guest", "self", "self.0", "guest.0", "*", "r", "rw"])
RIGHTS = st.sampled_from(["map", "call", "serve", "all", "write", "signal", "bind", "control"])
NUMBERS = st.sampled_from([0, 1, 2, 4, 8, 16, 33, 63, 64, 4096, 0x0900_0000, 0x4000_0000, 1 << 38])
SCALARS = TEXTS | NUMBERS | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)


def toml(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items())
            + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value) if isinstance(value, str) else str(value)


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that mostly fit a part of the schema."""
    if "$ref" in schema:
        return values(SCHEMA_DATA["$defs"][schema["$ref"].rpartition("/")[2]])
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return st.one_of(*[values({**schema, "type": kind}) for kind in kinds])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if kinds == "object":
        known = {key: values(part) for key, part in schema.get("properties", {}).items()}
        if known:
            needed = schema.get("required", [])
            keys = st.lists(st.sampled_from(sorted(known)), max_size=4, unique=True)
            return keys.flatmap(
                lambda some: st.fixed_dictionaries(
                    {key: known[key] for key in dict.fromkeys([*needed, *some])}
                )
            )
        inner = schema.get("additionalProperties", {"type": "integer"})
        return st.dictionaries(st.sampled_from(NAMES), values(inner), max_size=3)
    if kinds == "array":
        return st.lists(values(schema["items"]), max_size=3)
    if kinds == "integer":
        low, high = schema.get("minimum", 0), schema.get("maximum", 1 << 40)
        step = schema.get("multipleOf", 1)
        likely = NUMBERS.filter(lambda number: low <= number <= high and number % step == 0)
        return likely | st.integers(-(-low // step), high // step).map(lambda number: number * step)
    if kinds == "boolean":
        return st.booleans()
    return TEXTS | RIGHTS


WHOLE: dict[str, Any] = {
    "system": {"board": "qemu-virt", "cores": 2},
    "service": {name: {} for name in ("console", "uart", "timer", "gic", "lifecycle", "block")},
    "partition": {"one": {}, "two": {}},
    "vm": {"guest": {"image": "@guest", "ram_mib": 16}, "pair": {"image": "@pair", "ram_mib": 16}},
    "memory": {"box": {"size_kib": 64}},
    "device": {"tick": {"intid": 40}},
    "deny": [{"object": "memory.*.ram", "rights": ["execute"], "partition": "one"}],
}
TABLES = [
    (section, name)
    for section in ("service", "partition", "vm", "memory", "device")
    for name in WHOLE[section]
]


@st.composite
def systems(draw: st.DrawFn) -> dict[str, Any]:
    """A system that is right, but for a few keys that fit the schema and perhaps nothing else."""
    data: dict[str, Any] = json.loads(json.dumps(WHOLE))
    for _ in range(draw(st.integers(1, 5))):
        section, name = draw(st.sampled_from(TABLES))
        part = "native" if section in ("service", "partition") else section
        keys = SCHEMA_DATA["$defs"][part]["properties"]
        key = draw(st.sampled_from(sorted(keys)))
        data[section][name][key] = draw(values(keys[key]))
    return data


def attempt(file: Path, text: str, build: Path) -> None:
    """Packs but for the bytes; the only exception allowed is the user's mistake, in few words."""
    file.write_text(text, encoding="utf-8", errors="replace")
    try:
        plan_system(file, build=build)
    except UserError as error:
        assert error.status == 2 and error.code
        assert error.file is not None
        assert len(error.message) < 2000
        error.render()


@SETTINGS
@hypothesis.given(data=systems())
def test_systems_that_fit_the_schema(
    data: dict[str, Any], write: Callable[[str], Path], build: Path
) -> None:
    """Wrong references, sizes, cycles, overlaps in all combinations."""
    file = write("")
    attempt(file, "".join(f"{key} = {toml(value)}\n" for key, value in data.items()), build)


@SETTINGS
@hypothesis.given(data=st.data())
def test_the_demo_with_changed_lines(
    data: st.DataObject, write: Callable[[str], Path], build: Path
) -> None:
    """Lines dropped, doubled, given other values, or replaced by noise."""
    lines = DEMO.splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        key = lines[at].partition(" = ")[0]
        other = data.draw(
            st.sampled_from(["", lines[at] + "\n" + lines[at]])
            | SCALARS.map(lambda value: f"{key} = {toml(value)}")
            | st.text(max_size=10)
        )
        lines[at] = other
    attempt(write(""), "\n".join(lines), build)


@SETTINGS
@hypothesis.given(
    text=st.recursive(
        SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=4), inner)
    )
)
def test_any_value_anywhere(text: Any, write: Callable[[str], Path], build: Path) -> None:
    """As a section, a partition, a key."""
    file = write("")
    for key in ("service", "vm.guest", "vm.guest.uart", "system.cores", "deny", "memory.box"):
        attempt(file, f'system.board = "qemu-virt"\n{key} = {toml(text)}\n', build)


@SETTINGS
@hypothesis.given(raw=st.binary(max_size=200))
def test_any_bytes(raw: bytes, write: Callable[[str], Path], build: Path) -> None:
    """Most are no TOML."""
    file = write("")
    file.write_bytes(raw)
    try:
        plan_system(file, build=build)
    except UserError as error:
        assert error.code
