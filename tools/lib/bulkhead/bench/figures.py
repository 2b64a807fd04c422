# SPDX-License-Identifier: MIT
"""What a benchmark found: figures by operation, and the JSON file that keeps them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

from jsonschema import Draft202012Validator

from bulkhead.errors import UserError
from bulkhead.paths import CHECKOUT

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Figure:
    """One operation. Without a PMU only the mean is known. `note` says where, if that tells anything."""

    mean: float
    least: float | None = None
    most: float | None = None
    el2: float | None = None
    note: str = ""

    def minus(self, native: Figure) -> Figure:
        """What it costs above the bare machine, where each round costs the same."""

        def less(value: float | None) -> float | None:
            return None if value is None else value - native.mean

        return Figure(
            self.mean - native.mean, less(self.least), less(self.most), self.el2, self.note
        )


@dataclass(frozen=True, slots=True)
class Tree:
    """What was measured: the commit, its time (seconds since 1970), and whether the tree had changes beside it."""

    commit: str
    time: int
    changed: bool


@dataclass(slots=True)
class Results:
    """All that one call measured. `scaling`: one row for each number of partitions. `peers`: figures by peer."""

    tree: Tree
    cpu: str
    operations: dict[str, Figure] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    scaling: list[dict[str, float]] = field(default_factory=list)
    peers: dict[str, dict[str, Figure]] = field(default_factory=dict)


_FIGURES = {
    "type": "object",
    "additionalProperties": {
        "type": "object",
        "required": ["mean"],
        "additionalProperties": False,
        "properties": {
            "mean": {"type": "number"},
            "least": {"type": ["number", "null"]},
            "most": {"type": ["number", "null"]},
            "el2": {"type": ["number", "null"]},
            "note": {"type": "string"},
        },
    },
}
_NUMBERS = {"type": "object", "additionalProperties": {"type": "number"}}
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "required": ["format", "tree", "cpu", "operations"],
    "additionalProperties": False,
    "properties": {
        "format": {"const": FORMAT},
        "tree": {
            "type": "object",
            "required": ["commit", "time", "changed"],
            "additionalProperties": False,
            "properties": {
                "commit": {"type": "string"},
                "time": {"type": "integer"},
                "changed": {"type": "boolean"},
            },
        },
        "cpu": {"type": "string"},
        "operations": _FIGURES,
        "sizes": _NUMBERS,
        "scaling": {"type": "array", "items": _NUMBERS},
        "peers": {"type": "object", "additionalProperties": _FIGURES},
    },
}


def this_tree() -> Tree:
    """The checkout's commit; a tree without git is called unknown."""

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=CHECKOUT, capture_output=True, text=True)
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        commit, _, seconds = git("log", "-1", "--format=%h %ct").partition(" ")
        changed = bool(git("status", "--porcelain", "--untracked-files=no"))
    except FileNotFoundError:
        return Tree("unknown", 0, False)
    return Tree(commit or "unknown", int(seconds or 0), changed)


def write(results: Results, file: Path) -> None:
    """Writes the file: the same figures give the same bytes."""
    text = json.dumps({"format": FORMAT, **asdict(results)}, indent=1, sort_keys=True)
    try:
        file.write_text(text + "\n")
    except OSError as error:
        raise UserError(
            f"cannot write it: {error.strerror}", code="bench-file", file=file
        ) from None


def read(file: Path) -> Results:
    """Reads such a file; what is wrong with it is the user's mistake."""
    try:
        text = file.read_text()
    except OSError as error:
        raise UserError(f"cannot read it: {error.strerror}", code="bench-file", file=file) from None
    except UnicodeDecodeError:
        raise UserError("it is no text", code="bench-json", file=file) from None
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        hint = "write one with `tools/bulkhead bench --json FILE`"
        raise UserError(
            f"it is not JSON: {error}", code="bench-json", file=file, line=line, hint=hint
        ) from None
    if isinstance(data, dict) and data.get("format", FORMAT) != FORMAT:
        message = f"its format is {data['format']}, and this tool knows {FORMAT}"
        raise UserError(message, code="bench-format", file=file)
    problem = next(Draft202012Validator(SCHEMA).iter_errors(data), None)
    if problem is not None:
        where = ".".join(map(str, problem.absolute_path)) or "the file"
        raise UserError(f"{where}: {problem.message}", code="bench-format", file=file)
    return _results(data)


def _results(data: dict[str, Any]) -> Results:
    def figures(group: Mapping[str, Any]) -> dict[str, Figure]:
        return {name: Figure(**figure) for name, figure in group.items()}

    return Results(
        tree=Tree(**data["tree"]),
        cpu=data["cpu"],
        operations=figures(data["operations"]),
        sizes=data.get("sizes", {}),
        scaling=cast(list[dict[str, float]], data.get("scaling", [])),
        peers={peer: figures(group) for peer, group in data.get("peers", {}).items()},
    )
