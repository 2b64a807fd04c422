# SPDX-License-Identifier: MIT
"""Rules of `grants`: each names one object that exists, and rights that such an object has."""

from __future__ import annotations

from collections.abc import Iterator

from bulkhead.errors import UserError
from bulkhead.pack.description import Grant, Native, System
from bulkhead.pack.rights import RIGHTS
from bulkhead.pack.source import Path_

_ONLY = {"badge": "endpoint", "signals": "notification", "intids": "partition"}


def check(system: System, native: Native) -> Iterator[UserError]:
    """A partition's grants."""
    for grant in native.grants:
        if not grant.kind:
            hint = f"with one of the keys {', '.join(RIGHTS)}"
            message = f"a grant of '{native.name}' must name exactly one object"
            yield system.source.error("E023", message, grant.path, hint)
            continue
        yield from _rights(system, grant)
        yield from _keys(system, native, grant)
        target = _target(system, native, grant)
        if isinstance(target, str):
            yield system.source.error("E010", target, (*grant.path, grant.kind))


def _rights(system: System, grant: Grant) -> Iterator[UserError]:
    known = [*RIGHTS[grant.kind], "all"]
    for index, name in enumerate(grant.rights):
        if name not in known:
            message = f"a {grant.kind} has no right '{name[:60]}'"
            path: Path_ = (*grant.path, "rights", index)
            yield system.source.error("E022", message, path, f"it has {', '.join(known)}")


def _keys(system: System, native: Native, grant: Grant) -> Iterator[UserError]:
    section, name = str(native.path[0]), native.name
    said = system.source.data[section][name]["grants"][grant.path[-1]]
    for key, kind in _ONLY.items():
        if key in said and grant.kind != kind:
            message = f"'{key}' means something only beside the key '{kind}'"
            yield system.source.error("E017", message, (*grant.path, key))
    if grant.kind == "partition" and {"interrupt", "all"} & set(grant.rights) and not grant.intids:
        message = "the right 'interrupt' needs the interrupts that it is for"
        hint = "say `intids = [first, last]`"
        yield system.source.error("E023", message, grant.path, hint)
    if grant.intids and grant.intids[0] > grant.intids[1]:
        message = f"'intids' begins with {grant.intids[0]} and ends with {grant.intids[1]}"
        yield system.source.error("E004", message, (*grant.path, "intids"), "swap them")


def _target(system: System, native: Native, grant: Grant) -> str | None:
    """What is wrong with the object named."""
    name = native.name if grant.target == "self" else grant.target
    shown = f"'{grant.target[:60]}'"
    if grant.kind == "memory":
        return None if name in system.memories else f"there is no memory {shown}"
    if grant.kind == "interrupt":
        device = system.devices.get(name)
        return None if device and device.intid is not None else f"no device {shown} interrupts"
    if grant.kind == "vcpu":
        return _vcpu(system, native, grant.target)
    if grant.kind == "partition":
        found = system.native(name) or system.vm(name)
        return None if found else f"there is no partition {shown}"
    owner = system.native(name)
    if owner is None:
        return f"there is no native partition {shown}"
    if grant.kind == "endpoint" and not owner.serves:
        return f"{shown} has no endpoint: it says `serves = false`, or is no service"
    return None


def _vcpu(system: System, native: Native, target: str) -> str | None:
    owner, dot, index = target.rpartition(".")
    owner = native.name if owner == "self" else owner
    found = system.native(owner) or system.vm(owner)
    if not dot or not found:
        return f"there is no vCPU '{target[:60]}': write it as \"partition.index\""
    known = [str(number) for number in range(len(found.schedule.cores))]
    if index not in known:
        return f"'{owner}' has no vCPU {index[:20]}, only {', '.join(known)}"
    return None
