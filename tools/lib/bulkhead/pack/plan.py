# SPDX-License-Identifier: MIT
"""The packed system before it has addresses and bytes: objects, memory, partitions, who may do what."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from bulkhead.pack.description import Native, Schedule, System, Vm
from bulkhead.pack.environment import Entries
from bulkhead.pack.layout import Abi
from bulkhead.pack.rights import RIGHTS
from bulkhead.pack.source import Path_, Source

PAGE = 4096
BLOCK = 2 << 20
GIB = 1 << 30

STACKS, STACK_STEP = 0x7000_0000, 0x10_0000
ENVIRONMENT = 0x6000_0000
WINDOW = 0x10_0000_0000
# Where regions, devices and big regions begin, and where they must end. The low bits of the first device's page
# number are those of the guard page behind a partition's state, and no page's that is used beside it: a TLB that
# goes by these bits, as QEMU's, would keep only one of the two (and to fill it anew took 0.1 ms for each byte).
BEGINS = {"regions": 0x8000_0000, "devices": 0x1_0001_0000, "big": 0x40_0000_0000}
ENDS = {"regions": 0x1_0000_0000, "devices": 0x10_0000_0000, "big": 0x80_0000_0000}
BIG = 0x400_0000


def align_up(value: int, step: int = PAGE) -> int:
    """The next multiple of `step`."""
    return -(-value // step) * step


@dataclass(frozen=True, slots=True)
class Object:
    """An entry of the core's object table."""

    index: int
    type: str
    name: str


@dataclass(slots=True, eq=False)
class Extent:
    """Physical memory to be placed; in the file (zeros behind `data`), or behind it if somebody else fills it."""

    name: str
    kind: str
    size: int
    data: bytes = b""
    align: int = PAGE
    in_file: bool = True
    origin: str = ""
    base: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """A Memory object: a whole extent, a device's registers at `base`, or (with neither) the machine's device tree."""

    object: Object
    size: int
    extent: Extent | None = None
    base: int = 0
    parent: Object | None = None
    donatable: bool = False

    @property
    def physical(self) -> int:
        """Where it lies; for an extent only after placement."""
        return self.extent.base if self.extent else self.base


@dataclass(frozen=True, slots=True)
class Mapping:
    """Memory in a partition's address space; access is a string like "rw"."""

    memory: Memory
    ipa: int
    access: str
    path: Path_ = ()


@dataclass(frozen=True, slots=True)
class DevicePages:
    """Pages of a VM whose accesses become messages."""

    name: str
    endpoint: Object
    badge: int
    ipa: int
    size: int


@dataclass(frozen=True, slots=True)
class Start:
    """How a vCPU begins when the machine starts."""

    entry: int
    x0: int
    x1: int
    stack: int


@dataclass(slots=True)
class Vcpu:
    """A vCPU and its place."""

    object: Object
    index: int
    core: int
    start: Start | None = None


@dataclass(frozen=True, slots=True)
class Capability:
    """What a partition holds; `path` is the key of the description that it comes from."""

    slot: int
    object: Object
    rights: tuple[str, ...]
    badge: int
    path: Path_


@dataclass(frozen=True, slots=True)
class Interrupt:
    """A physical interrupt, and to what it is bound: a notification's signal, or a VM's INTID."""

    object: Object
    intid: int
    core: int
    edge: bool
    target: Object | None = None
    signal: int = 0


@dataclass(slots=True, eq=False)
class Partition:
    """A partition with all that it has."""

    name: str
    object: Object
    vmid: int
    source: Source
    path: Path_
    schedule: Schedule
    native: Native | None
    vm: Vm | None
    vcpus: list[Vcpu] = field(default_factory=list)
    notification: Object | None = None
    endpoint: Object | None = None
    supervisor: Object | None = None
    supervisor_signal: int = 0
    mappings: list[Mapping] = field(default_factory=list)
    pages: list[DevicePages] = field(default_factory=list)
    traps: list[tuple[str, Object, int]] = field(default_factory=list)
    capabilities: list[Capability] = field(default_factory=list)
    entries: Entries = field(default_factory=Entries)
    signals: dict[int, str] = field(default_factory=dict)
    free: dict[str, int] = field(default_factory=lambda: dict(BEGINS))
    window: int = 0
    window_tables: int = 0
    table_pages: int = 0
    confined: bool = False
    unconfined_because: str = ""

    def signal(self, what: str, bit: int | None = None) -> int:
        """Takes a bit of the own notification: the given one, or the highest that is free."""
        if bit is None:
            bit = next((free for free in range(63, -1, -1) if free not in self.signals), None)
        if bit is None or bit in self.signals:
            message = f"'{self.name}' needs more than the 64 signals that there are"
            raise self.source.error("E034", message, self.path)
        self.signals[bit] = what
        return bit

    def mapping_of(self, extent: Extent) -> Mapping | None:
        """Where the partition already sees an extent."""
        return next((entry for entry in self.mappings if entry.memory.extent is extent), None)


@dataclass(slots=True)
class Plan:
    """The system in the making."""

    system: System
    abi: Abi
    partitions: dict[str, Partition] = field(default_factory=dict)
    objects: list[Object] = field(default_factory=list)
    extents: list[Extent] = field(default_factory=list)
    memories: list[Memory] = field(default_factory=list)
    interrupts: dict[str, Interrupt] = field(default_factory=dict)
    streams: list[str] = field(default_factory=list)
    pool_base: int = 0
    pool_size: int = 0
    file_end: int = 0
    memory_end: int = 0

    def checksum(self, data: bytes) -> tuple[int, int]:
        """Of a part of the image, with the zeros behind it that complete its last unit; and its size with them."""
        padded = data.ljust(align_up(len(data), self.abi.constant("checksum_unit")), b"\0")
        return zlib.crc32(padded), len(padded)

    def object(self, type_: str, name: str) -> Object:
        """A new entry of the object table."""
        made = Object(len(self.objects) + 1, type_, f"{type_}.{name}")
        self.objects.append(made)
        return made

    def extent(self, extent: Extent) -> Extent:
        """Registers memory to be placed; its size becomes whole pages."""
        extent.size = align_up(max(extent.size, len(extent.data), 1))
        self.extents.append(extent)
        return extent

    def memory(self, extent: Extent, *, donatable: bool = False) -> Memory:
        """The root object of an extent."""
        made = Memory(self.object("memory", extent.name), extent.size, extent, donatable=donatable)
        self.memories.append(made)
        return made

    def registers(self, name: str, base: int, size: int) -> Memory:
        """A device's registers."""
        made = Memory(self.object("memory", f"device.{name}"), size, base=base)
        self.memories.append(made)
        return made

    def device_tree(self, size: int) -> Memory:
        """Where the machine's own device tree begins; only the core will know (abi::BootMemory)."""
        made = Memory(self.object("memory", "machine.tree"), size)
        self.memories.append(made)
        return made

    def derive(self, memory: Memory, name: str) -> Memory:
        """A share of the whole of `memory`: an object is mapped at most once."""
        made = Memory(
            self.object("memory", name), memory.size, memory.extent, memory.base, memory.object
        )
        self.memories.append(made)
        return made

    def map(
        self, partition: Partition, memory: Memory, ipa: int, access: str, path: Path_ = ()
    ) -> Mapping:
        """Maps at a given place; `path` is the description's key that says so."""
        made = Mapping(memory, ipa, access, path)
        partition.mappings.append(made)
        return made

    def map_region(
        self, partition: Partition, memory: Memory, access: str, path: Path_ = ()
    ) -> Mapping:
        """Maps at the next free place of a native partition, behind a guard page."""
        space = "devices" if memory.extent is None else "regions"
        step = memory.extent.align if memory.extent else PAGE
        if memory.size >= BIG:
            space = "big"
        ipa = align_up(partition.free[space], step)
        partition.free[space] = ipa + memory.size + PAGE
        if partition.free[space] > ENDS[space]:
            message = f"'{partition.name}' sees more memory than its addresses reach"
            raise self.system.source.error("E033", message, path or partition.path)
        return self.map(partition, memory, ipa, access, path)

    def grant(
        self,
        partition: Partition,
        target: Object,
        rights: tuple[str, ...],
        *,
        badge: int = 0,
        path: Path_ = (),
    ) -> int:
        """Puts a capability into a partition's table; its slot."""
        slot = len(partition.capabilities) + 1
        partition.capabilities.append(
            Capability(slot, target, rights, badge, path or partition.path)
        )
        return slot

    def handle(
        self,
        partition: Partition,
        name: str,
        target: Object,
        rights: tuple[str, ...],
        *,
        badge: int = 0,
        path: Path_ = (),
    ) -> None:
        """The same with a name in the environment."""
        slot = self.grant(partition, target, rights, badge=badge, path=path)
        partition.entries.handle(name, slot, self.abi.value("ObjectType", target.type))

    def rights(self, type_: str, names: tuple[str, ...]) -> int:
        """The rights' bits."""
        if "all" in names:
            return self.abi.constant("right.all")
        bits = 0
        for name in names:
            bits |= self.abi.constant(f"right.{RIGHTS[type_][name]}")
        return bits

    def role(self, role: str) -> Partition | None:
        """The partition of the service that has a role."""
        native = self.system.role(role)
        return self.partitions[native.name] if native else None

    def natives(self) -> Iterator[Partition]:
        """The native partitions, in the description's order."""
        return (partition for partition in self.partitions.values() if partition.native)

    def vms(self) -> Iterator[Partition]:
        """The VMs, in the description's order."""
        return (partition for partition in self.partitions.values() if partition.vm)
