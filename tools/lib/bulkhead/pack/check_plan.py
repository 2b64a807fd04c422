# SPDX-License-Identifier: MIT
"""The rules that only the wired system can be held against: the stated policy, and the core's limits."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from bulkhead.errors import UserError
from bulkhead.pack.description import Deny
from bulkhead.pack.place import object_slots
from bulkhead.pack.plan import Partition, Plan
from bulkhead.pack.rights import RIGHTS
from bulkhead.pack.rules.calls import longest_chain
from bulkhead.pack.source import Path_

_SLOTS = 1024
_ACCESS = {"r": "read", "w": "write", "x": "execute"}
Held = tuple[str, tuple[str, ...], Path_, str]  # object, rights, the key that gives them, how


def check_plan(plan: Plan) -> list[UserError]:
    """All that is wrong with a plan."""
    return [*_limits(plan), *_depth(plan), *_policy(plan), *_confined(plan)]


def _limits(plan: Plan) -> Iterator[UserError]:
    source = plan.system.source
    for partition in plan.partitions.values():
        quota = partition.native.objects if partition.native else 0
        count = len(partition.capabilities) + 1 + quota
        if count > _SLOTS:
            message = f"'{partition.name}' needs {count} capability slots, of {_SLOTS} at most"
            yield source.error("E034", message, partition.path, "lower `objects`, or split it")
    most = plan.abi.constant("max_objects")
    if object_slots(plan) > most:
        message = f"the system needs {object_slots(plan)} objects, of {most} at most"
        yield source.error("E034", message, ("system",), "lower `objects` of its partitions")


def _depth(plan: Plan) -> Iterator[UserError]:
    chain = longest_chain(plan.system)
    most = plan.abi.constant("max_call_depth")
    if len(chain) - 1 > most:
        way = " -> ".join(f"'{name}'" for name in chain)
        message = f"a chain of {len(chain) - 1} calls is deeper than {most}: {way}"
        first = plan.partitions[chain[0]]
        hint = "let one of them notify instead of call"
        yield plan.system.source.error("E013", message, first.path, hint)


def _policy(plan: Plan) -> Iterator[UserError]:
    for deny in plan.system.deny:
        for partition in plan.partitions.values():
            bound = fnmatchcase(partition.name, deny.partition)
            if bound and partition.name not in deny.exceptions:
                yield from _held_against(plan, deny, partition)


def _confined(plan: Plan) -> Iterator[UserError]:
    for partition in plan.natives():
        if partition.native and partition.native.confined and not partition.confined:
            message = f"'{partition.name}' must be confined, but is not: "
            hint = "docs/write-a-service.md says what its code may hold"
            path = (*partition.path, "confined")
            yield plan.system.source.error(
                "E049", message + partition.unconfined_because, path, hint
            )


def _held_against(plan: Plan, deny: Deny, partition: Partition) -> Iterator[UserError]:
    seen: set[tuple[str, tuple[str, ...]]] = set()
    for name, rights, path, how in _held(partition):
        broken = tuple(right for right in rights if right in deny.rights)
        if not broken or not fnmatchcase(name, deny.object) or (name, broken) in seen:
            continue
        seen.add((name, broken))
        because = f" ({deny.because})" if deny.because else ""
        message = (
            f"'{partition.name}' {how} {name} with the right {', '.join(broken)}, "
            f"which the policy denies{because}"
        )
        place = plan.system.source.place(deny.path, "the policy")
        hint = f"take the right away, or add '{partition.name}' to `except` of the policy"
        yield plan.system.source.error("E021", message, path, hint, place)


def _held(partition: Partition) -> Iterator[Held]:
    """Everything that a partition can do to objects: by capability, and by what is mapped."""
    for capability in partition.capabilities:
        rights = capability.rights
        if "all" in rights:
            rights = tuple(RIGHTS[capability.object.type])
        name = capability.object.name.partition("@")[0]
        yield name, rights, capability.path, "holds"
    for mapping in partition.mappings:
        rights = tuple(_ACCESS[letter] for letter in mapping.access)
        name = mapping.memory.object.name.partition("@")[0]
        yield name, rights, mapping.path or partition.path, "has mapped"
