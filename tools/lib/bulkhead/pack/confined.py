# SPDX-License-Identifier: MIT
"""Which native partitions are confined: whatever they execute, they touch no EL1 register of the guest that they run for.

The core then leaves those registers in the hardware. Instructions are 4 aligned bytes, executable are only pages of the
program's own text, and nobody writes or adds to them: so to look at each word of the text is a proof.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from bulkhead.pack import a64
from bulkhead.pack.plan import Partition, Plan

# Of all words whose top byte is 0xD5 (DDI 0487, C5.1: hints, barriers, PSTATE, system instructions and registers), these.
_HINTS = ["nop", "yield", "wfe", "wfi", "sev", "sevl", "csdb", "bti", "bti c", "bti j", "bti jc"]
_BARRIERS = ["clrex", "dsb", "dmb", "isb", "sb"]
_CACHE = ["dc zva", "dc cvac", "dc cvau", "dc civac", "dc cvap", "dc ivac", "ic ivau"]  # by address
# The same for all, or trapped (HCR_EL2.TID1, TID2), or part of the PSTATE that the core switches anyway.
_READ = ["cntpct_el0", "cntvct_el0", "cntfrq_el0", "ctr_el0", "dczid_el0", "clidr_el1"]
_READ += ["ccsidr_el1", "aidr_el1", "nzcv", "rndr", "rndrrs", "currentel"]
_WRITTEN = ["nzcv"]
_FEATURES = [f"s3_0_c0_c{crm}_{op2}" for crm in range(8) for op2 in range(8)]  # MIDR_EL1, ID_*
# They trap, or are everybody's where a description opens the PMU.
_PMU = [name for name in a64.REGISTERS.values() if name.startswith("pm")]
ALLOWED = frozenset(
    [*_HINTS, *_BARRIERS, *_CACHE]
    + [f"mrs {name}" for name in (*_READ, *_FEATURES, *_PMU)]
    + [f"msr {name}" for name in (*_WRITTEN, *_PMU)]
)
_SUSPECTS = re.compile(b"[\xd5\xd6]")
_RETURNS = (0x6B4, 0x6B5)  # bits 31 to 21 of ERET, ERETAA, ERETAB and of DRPS, whatever the rest


@dataclass(frozen=True, slots=True)
class Breach:
    """The first instruction that a confined program may not hold; `function` is "" if it is not known."""

    instruction: str
    address: int
    function: str
    more: int

    def __str__(self) -> str:
        place = f", in {self.function}" if self.function else ""
        more = f", and {self.more} more" if self.more else ""
        return f"{self.instruction} at {self.address:#x}{place}{more}"


@lru_cache(maxsize=4096)
def refused(word: int) -> str:
    """The instruction if a confined program may not hold it, else ""."""
    if word >> 24 != 0xD5 and word >> 21 not in _RETURNS:
        return ""
    name = a64.text(word)
    return "" if name in ALLOWED else name


def find_breach(code: Iterable[tuple[int, bytes]], function: Callable[[int], str]) -> Breach | None:
    """In executable segments, each an aligned address and its bytes; `function` names what is at an address."""
    found = [one for address, data in code for one in _scan(address, data)]
    if not found:
        return None
    address, instruction = found[0]
    return Breach(instruction, address, function(address), len(found) - 1)


def _scan(address: int, data: bytes) -> Iterator[tuple[int, str]]:
    """By the top bytes alone, which few words have; a piece of a word at the end gets a zero there."""
    for suspect in _SUSPECTS.finditer(data[3::4]):
        at = 4 * suspect.start()
        if instruction := refused(int.from_bytes(data[at : at + 4], "little")):
            yield address + at, instruction


def find_confined(plan: Plan, breaches: Mapping[str, Breach | None]) -> None:
    """Notes of each native partition whether it is confined. The plan is wired; `breaches`: by partition."""
    for partition in plan.natives():
        reasons = _reasons(plan, partition, breaches[partition.name])
        partition.unconfined_because = next(reasons, "")
        partition.confined = not partition.unconfined_because


def _reasons(plan: Plan, partition: Partition, breach: Breach | None) -> Iterator[str]:
    if breach:
        yield str(breach)
    code = [one.memory for one in partition.mappings if "x" in one.access]
    for memory in code:
        if memory.extent is None or memory.extent.kind != "text":
            yield f"{memory.object.name.partition('@')[0]} is executable there"
    # What is derived from one of them, or they from it, is of the same extent.
    family = [one for one in plan.memories if one.extent in {memory.extent for memory in code}]
    objects = {memory.object for memory in family}
    for other in plan.partitions.values():
        for mapping in other.mappings:
            if "w" in mapping.access and mapping.memory in family:
                yield f"'{other.name}' may write {mapping.memory.object.name}"
        for capability in other.capabilities:
            if capability.object in objects:
                yield f"'{other.name}' holds {capability.object.name}"
        if _adds_code(other, partition):
            names = ("it", "itself") if other is partition else (f"'{other.name}'", "it")
            yield "{} may map executable memory into {}".format(*names)


def _adds_code(other: Partition, partition: Partition) -> bool:
    """Whether that is what its rights are for. The core would refuse it of a confined partition."""
    held = other.capabilities
    return any(
        one.object is partition.object and {"map", "all"} & set(one.rights) for one in held
    ) and any(one.object.type == "memory" and {"execute", "all"} & set(one.rights) for one in held)


def notes(plan: Plan) -> list[str]:
    """What the user should know of the partitions that are not confined."""
    return [
        f"bulkhead: note: '{partition.name}' is not confined ({partition.unconfined_because}): "
        "its requests take the longer way"
        for partition in plan.natives()
        if not partition.confined
    ]
