# SPDX-License-Identifier: MIT
"""The bounds that a standard service states of itself: constants in the namespace of its role (docs/environment.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from bulkhead.errors import UserError
from bulkhead.pack.artifacts import Program
from bulkhead.pack.description import role_key
from bulkhead.pack.layout import read_constants
from bulkhead.pack.plan import Partition, Plan

_NAMES = frozenset({"max_clients", "max_vms", "max_natives", "max_services"})
Counts = list[tuple[str, str, str, int]]  # constant, what is counted, whose it is, how many


def check_bounds(plan: Plan, programs: dict[str, Program]) -> Iterator[UserError]:
    """Complains where a service has more to do than it can."""
    for partition in plan.natives():
        assert partition.native is not None
        role = partition.native.role
        if role == "none":
            continue
        bounds = _bounds(programs[partition.name].file, role)
        for constant, what, whose, count in _counts(plan, partition):
            most = bounds.get(constant)
            if most is not None and count > most:
                message = f"the service '{partition.name}' {what.format(most)}, "
                message += f"and {whose} has {count} of them"
                yield plan.system.source.error("E034", message, partition.path)


def _bounds(file: Path, role: str) -> Mapping[str, int]:
    try:
        return read_constants(file, role_key(role), _NAMES)
    except UserError:
        return {}  # a program without debug information says nothing


def _counts(plan: Plan, service: Partition) -> Counts:
    native = service.native
    assert native is not None
    vms = list(plan.vms())
    if native.role == "lifecycle":
        natives = sum(1 for _ in plan.natives()) - 1
        counts: Counts = [
            ("max_vms", "looks after at most {} VMs", "the system", len(vms)),
            ("max_natives", "looks after at most {} native partitions", "the system", natives),
        ]
        for vm in vms:
            servers = {pages.endpoint.name for pages in vm.pages}
            servers |= {endpoint.name for trap, endpoint, _ in vm.traps if trap == "timer"}
            what = "looks after at most {} services of a VM"
            counts.append(("max_services", what, f"'{vm.name}'", len(servers)))
        return counts
    clients = service.entries.by_name.get("clients")
    count = clients.value if clients else 0
    return [("max_clients", "serves at most {} VMs", "it", count)]
