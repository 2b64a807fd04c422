# SPDX-License-Identifier: MIT
"""A system as its author described it, key by key, defaults filled in; `path` leads back to file and line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bulkhead.pack.source import Path_, Source

ROLES = ("console", "uart", "virtio-console", "timer", "gic", "lifecycle")


@dataclass(frozen=True, slots=True)
class Device:
    """A physical device: registers, an interrupt, or both."""

    name: str
    source: Source
    path: Path_
    address: int | None
    size: int
    intid: int | None
    edge: bool
    dma: bool
    compatible: str


@dataclass(frozen=True, slots=True)
class Board:
    """The machine that the system is for."""

    name: str
    source: Source
    cores: int
    default_cpu: str
    qemu: tuple[str, ...]
    ram_base: int
    ram_mib: int
    distributor: int
    redistributors: int
    redistributor_stride: int
    spis: int
    uart: str
    devices: Mapping[str, Device]


@dataclass(frozen=True, slots=True)
class Grant:
    """A capability given by name: `kind` is the object's type, `target` its name."""

    path: Path_
    kind: str
    target: str
    rights: tuple[str, ...]
    badge: int
    signals: tuple[int, ...]
    intids: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Schedule:
    """Where and how a partition's vCPUs run: vCPU n on cores[n]."""

    cores: tuple[int, ...]
    priority: int
    budget_us: int
    period_us: int


@dataclass(frozen=True, slots=True)
class Native:
    """A service or another native partition."""

    name: str
    path: Path_
    service: bool
    role: str
    program: str
    serves: bool
    max_us: int
    calls: tuple[str, ...]
    notifies: tuple[str, ...]
    memory: Mapping[str, str]
    guest_memory: Mapping[str, str]
    devices: tuple[str, ...]
    trusted: bool
    properties: Mapping[str, str | int]
    state_kib: int
    stack_kib: int
    input: bool
    schedule: Schedule
    policy: str
    restarts: int
    grants: tuple[Grant, ...]
    objects: int
    window_mib: int
    machine: bool
    pmu: str
    confined: bool
    format: str
    focus: str


@dataclass(frozen=True, slots=True)
class Emulated:
    """A device of a VM that a service emulates; `service` is empty if the system has none of that role."""

    path: Path_
    service: str
    kind: str
    address: int
    size: int
    intid: int | None
    compatible: str


@dataclass(frozen=True, slots=True)
class Gic:
    """The emulated interrupt controller's places."""

    distributor: int
    redistributors: int
    spis: int


@dataclass(frozen=True, slots=True)
class Placed:
    """Shared memory at an address of a guest."""

    address: int
    access: str


@dataclass(frozen=True, slots=True)
class Vm:
    """A guest; `pmu` is "", "own" or "machine"."""

    name: str
    path: Path_
    image: str
    raw: bool
    ram_base: int
    ram_size: int
    schedule: Schedule
    load_address: int | None
    dtb: str
    dtb_address: int
    initrd: str
    initrd_address: int | None
    bootargs: str
    autostart: bool
    policy: str
    restarts: int
    uart: Emulated | None
    virtio_console: Emulated | None
    gic: Gic | None
    timer: bool
    pmu: str
    pac: bool
    trng: bool
    memory: Mapping[str, Placed]
    devices: tuple[str, ...]
    trusted: bool
    emulated: tuple[Emulated, ...]

    @property
    def consoles(self) -> tuple[Emulated, ...]:
        """Its devices with a stream; their kinds are the roles of the services that emulate them."""
        return tuple(one for one in (self.uart, self.virtio_console) if one)

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles of the services that it needs for itself; each has a key here that asks for it."""
        others = (("gic", self.gic), ("timer", self.timer))
        return (*(one.kind for one in self.consoles), *(role for role, asked in others if asked))

    def stream(self, kind: str) -> str:
        """The name of a console's stream."""
        return self.name if kind == "uart" else f"{self.name}.hvc0"


@dataclass(frozen=True, slots=True)
class SharedMemory:
    """`[memory.NAME]`."""

    name: str
    path: Path_
    size: int
    donatable: bool


@dataclass(frozen=True, slots=True)
class Deny:
    """A statement of policy that the packed system is held against."""

    path: Path_
    partition: str
    exceptions: tuple[str, ...]
    object: str
    rights: tuple[str, ...]
    because: str


@dataclass(frozen=True, slots=True)
class System:
    """The whole description."""

    name: str
    source: Source
    board: Board
    cores: int
    memory_mib: int
    natives: tuple[Native, ...]
    vms: tuple[Vm, ...]
    memories: Mapping[str, SharedMemory]
    devices: Mapping[str, Device]
    deny: tuple[Deny, ...]

    @property
    def partitions(self) -> tuple[Native | Vm, ...]:
        """All of them."""
        return (*self.natives, *self.vms)

    def role(self, role: str) -> Native | None:
        """The service that has a role."""
        return next((native for native in self.natives if native.role == role), None)

    def native(self, name: str) -> Native | None:
        """A native partition by its name."""
        return next((native for native in self.natives if native.name == name), None)

    def vm(self, name: str) -> Vm | None:
        """A VM by its name."""
        return next((vm for vm in self.vms if vm.name == name), None)

    def vm_streams(self) -> list[str]:
        """The names of the VMs' streams."""
        return [vm.stream(one.kind) for vm in self.vms for one in vm.consoles]


def role_key(role: str) -> str:
    """The key of a VM that asks for a role's service."""
    return role.replace("-", "_")
