# SPDX-License-Identifier: MIT
"""Rules of references: what is named exists, and can do what is asked of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from bulkhead.errors import UserError
from bulkhead.pack.description import Native, System, Vm, role_key
from bulkhead.pack.rights import RIGHTS
from bulkhead.pack.rules import grants
from bulkhead.pack.source import Path_


def check(system: System) -> Iterator[UserError]:
    """All names in the description."""
    yield from _roles(system)
    for native in system.natives:
        yield from _native(system, native)
        yield from grants.check(system, native)
        yield from _console_keys(system, native)
    for vm in system.vms:
        yield from _vm(system, vm)
    yield from _deny(system)
    yield from _unsupervised(system)


def unknown(
    system: System, what: str, name: str, path: Path_, known: Iterable[str]
) -> Iterator[UserError]:
    """Complains if `name` is not one of `known`."""
    known = sorted(known)
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known) or 'none'}"
        yield system.source.error("E010", f"there is no {what} '{name[:60]}'", path, hint)


def _roles(system: System) -> Iterator[UserError]:
    seen: dict[str, Native] = {}
    for native in system.natives:
        if native.role == "none":
            continue
        path = (*native.path, "role")
        if not native.service:
            message = f"'{native.name}' is no service and cannot take the role '{native.role}'"
            hint = f"describe it as [service.{native.name}]"
            yield system.source.error("E017", message, path, hint)
            continue
        if native.role in seen:
            other = system.source.place(seen[native.role].path, f"'{seen[native.role].name}'")
            message = f"'{native.name}' has the role '{native.role}', which is taken"
            hint = 'give one of them role = "none"'
            yield system.source.error("E016", message, path, hint, other)
        seen.setdefault(native.role, native)
        if not native.serves:
            message = f"'{native.name}' has the role '{native.role}' but serves nothing"
            hint = "leave out `serves = false`"
            yield system.source.error("E014", message, (*native.path, "serves"), hint)


def _native(system: System, native: Native) -> Iterator[UserError]:
    natives = [one.name for one in system.natives]
    for index, name in enumerate(native.calls):
        path = (*native.path, "calls", index)
        yield from unknown(system, "service", name, path, natives)
        yield from serves(system, native.name, name, path)
    for index, name in enumerate(native.notifies):
        path = (*native.path, "notifies", index)
        yield from unknown(system, "native partition", name, path, natives)
    for name in native.memory:
        yield from unknown(system, "memory", name, (*native.path, "memory", name), system.memories)
    for name in native.guest_memory:
        path = (*native.path, "guest_memory", name)
        yield from unknown(system, "VM", name, path, [vm.name for vm in system.vms])
    for index, name in enumerate(native.devices):
        path = (*native.path, "devices", index)
        yield from unknown(system, "device", name, path, system.devices)


def serves(system: System, client: str, name: str, path: Path_) -> Iterator[UserError]:
    """Complains if `name` is a partition whose endpoint nobody serves."""
    server = system.native(name)
    if server and not server.serves:
        place = system.source.place(server.path, f"'{name}'")
        message = f"'{client}' would call '{name}', where nobody serves"
        yield system.source.error("E014", message, path, f"say `serves = true` in '{name}'", place)


def _vm(system: System, vm: Vm) -> Iterator[UserError]:
    for role in vm.roles:
        if not system.role(role):
            key = role_key(role)
            message = f"'{vm.name}' has a {role}, but the system has no service for it"
            hint = f"add [service.{role}], or say `{key} = false` in '{vm.name}'"
            yield system.source.error("E011", message, (*vm.path, key), hint)
    if vm.virtio_console and system.role("virtio-console") and not system.role("console"):
        message = f"the virtio-console of '{vm.name}' has nowhere to write to"
        hint = f"add [service.console], or say `virtio_console = false` in '{vm.name}'"
        yield system.source.error("E011", message, vm.virtio_console.path, hint)
    for key, asked in (("pmu", vm.pmu), ("pac", vm.pac), ("trng", vm.trng)):
        if asked and not system.role("lifecycle"):
            message = f"'{vm.name}' has a key '{key}', but the system has no lifecycle service"
            hint = f"add [service.lifecycle], or leave out `{key}` in '{vm.name}'"
            yield system.source.error("E011", message, (*vm.path, key), hint)
    for device in vm.emulated:
        path = (*device.path, "service")
        yield from unknown(
            system, "service", device.service, path, [one.name for one in system.natives]
        )
        yield from serves(system, vm.name, device.service, path)
        server = system.native(device.service)
        if server and server.role != "none":
            message = f"'{device.service}' has the role '{server.role}', which is wired by itself"
            hint = f"use the VM's key `{role_key(server.role)}`, or a service of your own"
            yield system.source.error("E017", message, path, hint)
    for name in vm.memory:
        yield from unknown(system, "memory", name, (*vm.path, "memory", name), system.memories)
    for index, name in enumerate(vm.devices):
        yield from unknown(system, "device", name, (*vm.path, "devices", index), system.devices)


def _console_keys(system: System, native: Native) -> Iterator[UserError]:
    said = system.source.data[str(native.path[0])][native.name]
    for key in ("format", "focus"):
        if key in said and native.role != "console":
            message = f"only the console has a '{key}', and '{native.name}' is not it"
            yield system.source.error("E017", message, (*native.path, key))
    if native.role == "console" and native.focus:
        typed = [one.name for one in system.natives if one.input] + system.vm_streams()
        path = (*native.path, "focus")
        yield from unknown(system, "partition with input", native.focus, path, typed)


def _deny(system: System) -> Iterator[UserError]:
    rights = {name for names in RIGHTS.values() for name in names}
    partitions = [one.name for one in system.partitions]
    for deny in system.deny:
        for index, name in enumerate(deny.rights):
            if name not in rights:
                message = f"there is no right '{name[:60]}'"
                hint = f"known: {', '.join(sorted(rights))}"
                yield system.source.error("E022", message, (*deny.path, "rights", index), hint)
        for index, name in enumerate(deny.exceptions):
            yield from unknown(system, "partition", name, (*deny.path, "except", index), partitions)
        if not set(deny.partition) & set("*?["):
            path = (*deny.path, "partition")
            yield from unknown(system, "partition", deny.partition, path, partitions)


def _unsupervised(system: System) -> Iterator[UserError]:
    """A fault of lifecycle ends the machine, and without it every fault does."""
    lifecycle = system.role("lifecycle")
    for partition in [lifecycle] if lifecycle else system.partitions:
        said = system.source.data[str(partition.path[0])][partition.name]
        for key, harmless in (("policy", "end"), ("restarts", 0), ("autostart", True)):
            if said.get(key, harmless) != harmless:
                message = f"'{key}' of '{partition.name}' needs a lifecycle service"
                hint = "add [service.lifecycle]; without it a fault ends the machine"
                if lifecycle:
                    message = f"'{key}' of '{partition.name}' has no meaning: nobody supervises it"
                    hint = "leave it out: a fault of lifecycle ends the machine"
                yield system.source.error("E017", message, (*partition.path, key), hint)
