# SPDX-License-Identifier: MIT
"""Holds a description against schema.json, and says in plain words what does not fit."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema

from bulkhead.errors import UserError
from bulkhead.pack.source import Path_, Source

SCHEMA = Path(__file__).with_name("schema.json")
_TYPES = {
    "object": "a table",
    "array": "an array",
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
}


def _unique(_: Any, wanted: bool, value: Any, __: Any) -> Iterator[Any]:
    """jsonschema's own way takes quadratic time when the types are mixed."""
    if wanted and isinstance(value, list):
        if len({f"{type(item)} {item}" for item in value}) < len(value):
            yield jsonschema.ValidationError("not unique")


def _whole(_: Any, value: Any) -> bool:
    """jsonschema would take 2.0 for a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


_VALIDATOR = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    {"uniqueItems": _unique},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", _whole),
)


def shape_errors(source: Source, definition: str | None = None) -> list[UserError]:
    """Everything in `source` that the schema (or one definition of it) refuses."""
    schema = json.loads(SCHEMA.read_text())
    if definition is not None:
        schema = {"$ref": f"#/$defs/{definition}", "$defs": schema["$defs"]}
    validator = _VALIDATOR(schema)
    found = sorted(validator.iter_errors(source.data), key=lambda error: str(error.absolute_path))
    return [message for error in found for message in _messages(source, error)]


def _messages(source: Source, error: Any) -> Iterator[UserError]:
    path: Path_ = tuple(error.absolute_path)
    rule, wants, value = error.validator, error.validator_value, error.instance
    if rule == "additionalProperties" and wants is False:
        known = sorted(error.schema["properties"])
        for key in value:
            if key not in known:
                hint = _near(key, known)
                yield source.error("E002", f"unknown key '{_short(key)}'", (*path, key), hint)
    elif rule == "required":
        for key in wants:
            if key not in value:
                yield source.error("E003", f"{_table(path)} misses the key '{key}'", path)
    elif rule == "type":
        types = wants if isinstance(wants, list) else [wants]
        text = " or ".join(_TYPES[name] for name in types)
        yield source.error("E003", f"{_what(path)} must be {text}, not {_kind(value)}", path)
    elif rule in ("minimum", "maximum", "multipleOf"):
        if not _whole(None, value):
            return  # that it is a fraction is said already
        text = {"minimum": "at least", "maximum": "at most", "multipleOf": "a multiple of"}[rule]
        yield source.error(
            "E004", f"{_what(path)} is {show(value)}, but must be {text} {show(wants)}", path
        )
    elif rule == "pattern":
        yield _bad_name(source, path, value, wants)
    elif rule == "enum":
        choices = ", ".join(json.dumps(choice) for choice in wants)
        yield source.error("E003", f"{_what(path)} must be one of {choices}", path)
    elif rule == "uniqueItems":
        yield source.error("E003", f"{_what(path)} has an entry twice", path)
    else:
        text = {"minItems": "has too few entries", "maxLength": "is too long"}.get(rule, "")
        text = text or f"has too many entries: {wants} are allowed"
        yield source.error("E003", f"{_what(path)} {text}", path)


def _bad_name(source: Source, path: Path_, value: str, pattern: str) -> UserError:
    bound = re.search(r"\{0,(\d+)\}", pattern)
    hint = "small letters, digits, '.', '-', and '*' or '?' for what may vary"
    if bound:
        longest = int(bound[1]) + 1
        hint = "a small letter, then small letters, digits and '-'; "
        hint += f"at most {longest} characters"
    return source.error(
        "E005",
        f"'{_short(value)}' is not a name",
        (*path, value) if (*path, value) in source.lines else path,
        hint,
    )


def show(number: int) -> str:
    """A number as a reader wants it: addresses in hexadecimal."""
    return hex(number) if abs(number) >= 0x10000 else str(number)


def _what(path: Path_) -> str:
    names = [f"[{part}]" if isinstance(part, int) else f".{_short(part)}" for part in path]
    return "'" + "".join(names).removeprefix(".") + "'"


def _table(path: Path_) -> str:
    return _what(path) if path else "the description"


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    names = {int: "a number", float: "a fraction", str: "text", list: "an array", dict: "a table"}
    return names.get(type(value), "a date")


def _near(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, 1)
    return f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}"


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
