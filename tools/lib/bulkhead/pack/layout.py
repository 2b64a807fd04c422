# SPDX-License-Identifier: MIT
"""The ABI's layouts and constants, read from the debug information of the core: nothing of `abi/` is written here."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

from bulkhead.errors import UserError

Values = Mapping[str, Any]
_FORMATS = {1: "B", 2: "H", 4: "I", 8: "Q"}


@dataclass(frozen=True, slots=True)
class Field:
    """A member: `layout` if it is a struct, `count` if it is an array (of characters: bytes)."""

    name: str
    offset: int
    size: int
    layout: str | None = None
    count: int | None = None
    text: bool = False


@dataclass(frozen=True, slots=True)
class Layout:
    """A struct: its size and its members."""

    name: str
    size: int
    fields: tuple[Field, ...]


@dataclass(slots=True)
class Abi:
    """Structs, enumerators ("RecordType.map") and constants ("right.call"), by their names within `abi::`."""

    structs: dict[str, Layout] = field(default_factory=dict)
    enums: dict[str, dict[str, int]] = field(default_factory=dict)
    constants: dict[str, int] = field(default_factory=dict)
    origin: Path | None = None

    def constant(self, name: str) -> int:
        """A constexpr value; a missing one means that core and tools do not belong together."""
        if name not in self.constants:
            raise self._missing(name)
        return self.constants[name]

    def value(self, enum: str, name: str) -> int:
        """An enumerator's value."""
        if name not in self.enums.get(enum, {}):
            raise self._missing(f"{enum}::{name}")
        return self.enums[enum][name]

    def size(self, name: str) -> int:
        """sizeof(name)."""
        return self._struct(name).size

    def encode(self, name: str, values: Values) -> bytes:
        """The bytes of a struct; members not named are zero."""
        layout = self._struct(name)
        out = bytearray(layout.size)
        known = {member.name: member for member in layout.fields}
        for key, value in values.items():
            if key not in known:
                raise self._missing(f"{name}::{key}")
            data = self._member(known[key], value)
            out[known[key].offset : known[key].offset + len(data)] = data
        return bytes(out)

    def decode(self, name: str, data: bytes, offset: int = 0) -> dict[str, Any]:
        """The members of a struct in `data`."""
        result: dict[str, Any] = {}
        for member in self._struct(name).fields:
            at = offset + member.offset
            if member.layout is not None:
                result[member.name] = self.decode(member.layout, data, at)
            elif member.text:
                result[member.name] = data[at : at + member.size].split(b"\0")[0].decode()
            elif member.count is None:
                (result[member.name],) = struct.unpack_from("<" + _FORMATS[member.size], data, at)
        return result

    def _member(self, member: Field, value: Any) -> bytes:
        if member.layout is not None:
            return self.encode(member.layout, value)
        if member.text:
            data = str(value).encode()
            if len(data) >= member.size:
                raise ValueError(f"{value!r} does not fit the {member.size} bytes of {member.name}")
            return data
        return struct.pack("<" + _FORMATS[member.size], value)

    def _struct(self, name: str) -> Layout:
        if name not in self.structs:
            raise self._missing(name)
        return self.structs[name]

    def _missing(self, name: str) -> UserError:
        return UserError(
            f"the debug information has no abi::{name}",
            code="E701",
            file=self.origin,
            hint="core and tools are of different versions, or the core was built without -g: rebuild",
        )


def read_abi(elf: Path) -> Abi:
    """Reads the namespace `abi` of a core (or any other ELF file with debug information); the same file only once."""
    return _read_abi(elf, _stamp(elf))


Stamp = tuple[int, int, int] | None


def _stamp(file: Path) -> Stamp:
    """What changes when a build replaces the file."""
    try:
        status = file.stat()
    except OSError:
        return None  # who reads it says so
    return (status.st_ino, status.st_mtime_ns, status.st_size)


@cache
def _read_abi(elf: Path, _: Stamp) -> Abi:
    abi = Abi(origin=elf)
    with _debug_information(elf) as units:
        tops = []
        for top in units:
            tops.append(top)
            if _name(top).endswith("/abi.cpp"):
                tops = [top]  # the core has this source file for us; reading only it saves seconds
                break
        for die in (die for top in tops for die in top.iter_children()):
            if _is_space(die, "abi"):
                _namespace(abi, die, "")
    return abi


@contextmanager
def _debug_information(elf: Path) -> Iterator[Iterator[Any]]:
    """The top of each compilation unit; what goes wrong with them is a UserError."""
    try:
        with elf.open("rb") as stream:
            file = ELFFile(stream)
            if not file.has_dwarf_info():
                raise ValueError("it has no debug information")
            yield (unit.get_top_DIE() for unit in file.get_dwarf_info().iter_CUs())
    except OSError as error:
        raise UserError(f"cannot read it: {error.strerror}", code="E007", file=elf) from None
    except UserError:
        raise
    except Exception as error:  # pyelftools raises whatever a damaged file makes it stumble over
        message = f"its debug information cannot be read: {error}"
        raise UserError(message, code="E701", file=elf, hint="rebuild it") from None


def read_constants(elf: Path, namespace: str, names: frozenset[str]) -> Mapping[str, int]:
    """Those of the constants `names` that another namespace has, unnamed ones within it included."""
    return _read_constants(elf, _stamp(elf), namespace, names)


@cache
def _read_constants(
    elf: Path, _: Stamp, namespace: str, wanted: frozenset[str]
) -> Mapping[str, int]:
    found: dict[str, int] = {}
    text = elf.read_bytes()
    names = {name for name in wanted if name.encode() in text}
    with _debug_information(elf) as units:
        for die in (die for top in units for die in top.iter_children()):
            if len(found) == len(names):
                break
            spaces = [die] if _is_space(die, namespace) else []
            while spaces:
                for inner in spaces.pop().iter_children():
                    value = inner.attributes.get("DW_AT_const_value")
                    if inner.tag == "DW_TAG_variable" and value and _name(inner) in names:
                        found[_name(inner)] = int(value.value)
                    elif _is_space(inner, ""):
                        spaces.append(inner)
    return found


def _is_space(die: Any, name: str) -> bool:
    return bool(die.tag == "DW_TAG_namespace") and _name(die) == name


def _name(die: Any) -> str:
    attribute = die.attributes.get("DW_AT_name")
    return str(attribute.value.decode()) if attribute else ""


def _namespace(abi: Abi, space: Any, prefix: str) -> None:
    for die in space.iter_children():
        name = prefix + _name(die)
        if die.tag == "DW_TAG_namespace":
            _namespace(abi, die, name + ".")
        elif die.tag == "DW_TAG_enumeration_type" and name not in abi.enums:
            abi.enums[name] = {
                _name(child): child.attributes["DW_AT_const_value"].value
                for child in die.iter_children()
                if child.tag == "DW_TAG_enumerator"
            }
        elif die.tag in ("DW_TAG_structure_type", "DW_TAG_union_type"):
            if "DW_AT_byte_size" in die.attributes and name not in abi.structs:
                size = int(die.attributes["DW_AT_byte_size"].value)
                abi.structs[name] = Layout(name, size, tuple(_fields(die, prefix)))
        elif die.tag == "DW_TAG_variable" and "DW_AT_const_value" in die.attributes:
            value = die.attributes["DW_AT_const_value"].value
            if isinstance(value, int):
                abi.constants.setdefault(name, _unsigned(value, die))


def _unsigned(value: int, die: Any) -> int:
    size, _, _ = _type(die, "")
    return value & ((1 << (8 * size)) - 1)


def _fields(struct_die: Any, prefix: str) -> Iterator[Field]:
    for die in struct_die.iter_children():
        if die.tag != "DW_TAG_member" or "DW_AT_const_value" in die.attributes:
            continue
        offset = die.attributes.get("DW_AT_data_member_location")
        size, layout, shape = _type(die, prefix)
        count, text = shape if shape else (None, False)
        yield Field(_name(die), int(offset.value) if offset else 0, size, layout, count, text)


def _type(die: Any, prefix: str) -> tuple[int, str | None, tuple[int, bool] | None]:
    """Size, struct name, and (count, is text) of an array, behind typedefs and qualifiers."""
    base = die.get_DIE_from_attribute("DW_AT_type")
    while base.tag in ("DW_TAG_typedef", "DW_TAG_const_type", "DW_TAG_volatile_type"):
        base = base.get_DIE_from_attribute("DW_AT_type")
    if base.tag == "DW_TAG_array_type":
        size, _, _ = _type(base, prefix)
        element = _name(base.get_DIE_from_attribute("DW_AT_type"))
        count = 1
        for child in base.iter_children():
            if child.tag == "DW_TAG_subrange_type" and "DW_AT_upper_bound" in child.attributes:
                count *= int(child.attributes["DW_AT_upper_bound"].value) + 1
        return size * count, None, (count, element == "char")
    size = int(base.attributes["DW_AT_byte_size"].value)
    layout = prefix + _name(base) if base.tag == "DW_TAG_structure_type" else None
    return size, layout, None
