# SPDX-License-Identifier: MIT
"""Who calls whom: by the description's words, and by what the packer wires itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bulkhead.pack.description import System, Vm
from bulkhead.pack.source import Path_


@dataclass(frozen=True, slots=True)
class Edge:
    """`client` waits for `server`; `path` is the key that says so."""

    client: str
    server: str
    path: Path_
    why: str


def call_edges(system: System) -> Iterator[Edge]:
    """Calls of native partitions."""
    for native in system.natives:
        for index, name in enumerate(native.calls):
            yield Edge(native.name, name, (*native.path, "calls", index), "it calls it")
        for grant in native.grants:
            if grant.kind == "endpoint" and {"call", "all"} & set(grant.rights):
                name = native.name if grant.target == "self" else grant.target
                if name != native.name:
                    yield Edge(native.name, name, grant.path, "a grant lets it call")
    lifecycle, console = system.role("lifecycle"), system.role("console")
    if lifecycle and console:
        yield Edge(lifecycle.name, console.name, lifecycle.path, "lifecycle flushes the console")
    if lifecycle:
        for vm in system.vms:
            for server, _, _ in _services(system, vm):
                why = f"lifecycle resets '{vm.name}' there"
                yield Edge(lifecycle.name, server, lifecycle.path, why)


def trap_edges(system: System) -> Iterator[Edge]:
    """Trapped accesses and instructions of VMs."""
    lifecycle = system.role("lifecycle")
    for vm in system.vms:
        for server, path, why in _services(system, vm):
            yield Edge(vm.name, server, path, why)
        if lifecycle:
            yield Edge(vm.name, lifecycle.name, vm.path, "its PSCI calls go there")


def _services(system: System, vm: Vm) -> Iterator[tuple[str, Path_, str]]:
    for role in vm.roles:
        service = system.role(role)
        if service:
            yield service.name, vm.path, f"its {role} is emulated there"
    for device in vm.emulated:
        yield device.service, device.path, "it emulates a device of it"
