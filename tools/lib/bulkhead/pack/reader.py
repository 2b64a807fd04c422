# SPDX-License-Identifier: MIT
"""From TOML to the description's dataclasses: shape, board, defaults."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from bulkhead.pack.artifacts import is_file
from bulkhead.pack.description import (
    ROLES,
    Board,
    Deny,
    Device,
    Emulated,
    Gic,
    Grant,
    Native,
    Placed,
    Schedule,
    SharedMemory,
    System,
    Vm,
)
from bulkhead.pack.problems import raise_all
from bulkhead.pack.shape import shape_errors
from bulkhead.pack.source import Path_, Source, read_source
from bulkhead.paths import CHECKOUT

BOARDS = CHECKOUT / "boards"
MIB = 1 << 20
_PRIORITIES = {
    "console": 40,
    "uart": 50,
    "virtio-console": 50,
    "timer": 52,
    "gic": 54,
    "lifecycle": 45,
}
_KINDS = ("partition", "vcpu", "memory", "endpoint", "notification", "interrupt")


def read_system(file: Path, cores: int | None = None) -> System:
    """Reads a description and its board; what is wrong with their shape is one UserError with all of it.

    With `cores` the system has that many cores, whatever it says: what it wants on core n is on core n modulo `cores`.
    """
    source = read_source(file)
    raise_all(shape_errors(source))
    system = build_system(source)
    return system if cores is None else _fold(system, cores)


def _fold(system: System, cores: int) -> System:
    def folded(partition: Native | Vm) -> Schedule:
        said = system.source.data[str(partition.path[0])][partition.name]
        places = tuple(core % cores for core in partition.schedule.cores)
        if isinstance(partition, Native):
            everywhere = partition.service and "cores" not in said
            places = tuple(range(cores)) if everywhere else tuple(dict.fromkeys(places))
        return replace(partition.schedule, cores=places)

    return replace(
        system,
        cores=cores,
        natives=tuple(replace(native, schedule=folded(native)) for native in system.natives),
        vms=tuple(replace(vm, schedule=folded(vm)) for vm in system.vms),
    )


def build_system(source: Source) -> System:
    """The description in a source whose shape is right."""
    data = source.data
    head = data["system"]
    board = _board(source, head["board"])
    cores = head.get("cores", 1)
    own = {name: _device(source, ("device", name), item) for name, item in _items(data, "device")}
    natives = [
        _native((section, name), item, cores)
        for section in ("service", "partition")
        for name, item in _items(data, section)
    ]
    return System(
        name=head.get("name", _default_name(source.file)),
        source=source,
        board=board,
        cores=cores,
        memory_mib=head.get("memory_mib", board.ram_mib),
        natives=tuple(natives),
        vms=tuple(_vm(("vm", name), item) for name, item in _items(data, "vm")),
        memories={
            name: SharedMemory(
                name, ("memory", name), item["size_kib"] * 1024, item.get("donatable", False)
            )
            for name, item in _items(data, "memory")
        },
        devices={**board.devices, **own},
        deny=tuple(_deny(("deny", index), item) for index, item in enumerate(data.get("deny", []))),
    )


def _items(data: dict[str, Any], section: str) -> list[tuple[str, Any]]:
    return list(data.get(section, {}).items())


def _default_name(file: Path) -> str:
    name = file.absolute().parent.name if file.name == "system.toml" else file.stem
    return name if re.fullmatch("[a-z][a-z0-9-]{0,22}", name) else "system"


def _board(source: Source, name: str) -> Board:
    if name.endswith(".toml"):
        file = source.file.parent / name
    else:
        file = BOARDS / name / "board.toml" if re.fullmatch("[a-z0-9-]+", name) else BOARDS / "?"
    if not is_file(file):
        known = ", ".join(sorted(path.parent.name for path in BOARDS.glob("*/board.toml")))
        hint = f"known boards: {known}; or give a path to a .toml"
        raise source.error("E010", f"there is no board '{name[:60]}'", ("system", "board"), hint)
    board = read_source(file)
    raise_all(shape_errors(board, "board"))
    data = board.data
    devices = {key: _device(board, ("device", key), item) for key, item in _items(data, "device")}
    if data["uart"] not in devices or devices[data["uart"]].address is None:
        raise board.error("E010", f"there is no [device.{data['uart']}] with registers", ("uart",))
    return Board(
        name=data["name"],
        source=board,
        cores=data["cores"],
        default_cpu=data["default_cpu"],
        qemu=tuple(data.get("qemu", [])),
        ram_base=data["ram"]["base"],
        ram_mib=data["ram"]["default_mib"],
        distributor=data["gic"]["distributor"],
        redistributors=data["gic"]["redistributors"],
        redistributor_stride=data["gic"]["redistributor_stride"],
        spis=data["gic"]["spis"],
        uart=data["uart"],
        devices=devices,
    )


def _device(source: Source, path: Path_, item: dict[str, Any]) -> Device:
    return Device(
        name=str(path[-1]),
        source=source,
        path=path,
        address=item.get("address"),
        size=item.get("size", 4096),
        intid=item.get("intid"),
        edge=item.get("edge", False),
        dma=item.get("dma", False),
        compatible=item.get("compatible", ""),
    )


def _schedule(item: dict[str, Any], cores: tuple[int, ...], priority: int) -> Schedule:
    return Schedule(
        cores=tuple(item.get("cores", cores)),
        priority=item.get("priority", priority),
        budget_us=item.get("budget_us", 0),
        period_us=item.get("period_us", 0),
    )


def _native(path: Path_, item: dict[str, Any], cores: int) -> Native:
    service, name = path[0] == "service", str(path[1])
    role = item.get("role", name if service and name in ROLES else "none")
    priority = _PRIORITIES.get(role, 48 if service else 20)
    all_cores = tuple(range(cores)) if service else (0,)
    return Native(
        name=name,
        path=path,
        service=service,
        role=role,
        program=item.get("program", f"@{name}"),
        serves=item.get("serves", service),
        max_us=item.get("max_us", 10_000_000 if role == "lifecycle" else 500_000),
        calls=tuple(item.get("calls", [])),
        notifies=tuple(item.get("notifies", [])),
        memory=item.get("memory", {}),
        guest_memory=item.get("guest_memory", {}),
        devices=tuple(item.get("devices", [])),
        trusted=item.get("trusted", False),
        properties=item.get("properties", {}),
        state_kib=item.get("state_kib", 64 if role in ROLES else 0),
        stack_kib=item.get("stack_kib", 16),
        input=item.get("input", role == "lifecycle"),
        schedule=_schedule(item, all_cores, priority),
        policy=item.get("policy", "end" if role == "lifecycle" else "restart"),
        restarts=item.get("restarts", 3),
        grants=tuple(
            _grant((*path, "grants", index), grant)
            for index, grant in enumerate(item.get("grants", []))
        ),
        objects=item.get("objects", 0),
        window_mib=item.get("window_mib", 0),
        machine=item.get("machine", role == "lifecycle"),
        pmu=item.get("pmu") or "",
        confined=item.get("confined", False),
        format=item.get("format", "text"),
        focus=item.get("focus", ""),
    )


def _grant(path: Path_, item: dict[str, Any]) -> Grant:
    kinds = [kind for kind in _KINDS if kind in item]
    intids = item.get("intids")
    return Grant(
        path=path,
        kind=kinds[0] if len(kinds) == 1 else "",
        target=item[kinds[0]] if len(kinds) == 1 else "",
        rights=tuple(item["rights"]),
        badge=item.get("badge", 0),
        signals=tuple(item.get("signals", range(64))),
        intids=(intids[0], intids[1]) if intids else None,
    )


def _vm(path: Path_, item: dict[str, Any]) -> Vm:
    base = item.get("ram_base", 0x4000_0000)
    return Vm(
        name=str(path[1]),
        path=path,
        image=item["image"],
        raw=item.get("raw", False),
        ram_base=base,
        ram_size=item["ram_mib"] * MIB,
        schedule=_schedule(item, (0,), 10),
        load_address=item.get("load_address"),
        dtb=item.get("dtb", "generated"),
        dtb_address=item.get("dtb_address", base),
        initrd=item.get("initrd", ""),
        initrd_address=item.get("initrd_address"),
        bootargs=item.get("bootargs", ""),
        autostart=item.get("autostart", True),
        policy=item.get("policy", "stop"),
        restarts=item.get("restarts", 3),
        uart=_console((*path, "uart"), item.get("uart", True), "uart", 0x0900_0000, 33),
        virtio_console=_console(
            (*path, "virtio_console"),
            item.get("virtio_console", False),
            "virtio-console",
            0x0A00_0000,
            48,
        ),
        gic=_gic(item.get("gic", True)),
        timer=item.get("timer", True),
        pmu="own" if item.get("pmu") is True else item.get("pmu") or "",
        pac=item.get("pac", False),
        trng=item.get("trng", False),
        memory={
            name: Placed(place["address"], place.get("access", "rw"))
            for name, place in item.get("memory", {}).items()
        },
        devices=tuple(item.get("devices", [])),
        trusted=item.get("trusted", False),
        emulated=tuple(
            Emulated(
                path=(*path, "emulated", index),
                service=device["service"],
                kind="device",
                address=device["address"],
                size=device.get("size", 4096),
                intid=device.get("intid"),
                compatible=device.get("compatible", ""),
            )
            for index, device in enumerate(item.get("emulated", []))
        ),
    )


def _console(path: Path_, item: Any, kind: str, address: int, intid: int) -> Emulated | None:
    if item is False:
        return None
    keys = item if isinstance(item, dict) else {}
    return Emulated(
        path, "", kind, keys.get("address", address), 4096, keys.get("intid", intid), ""
    )


def _gic(item: Any) -> Gic | None:
    if item is False:
        return None
    keys = item if isinstance(item, dict) else {}
    return Gic(
        distributor=keys.get("distributor", 0x0800_0000),
        redistributors=keys.get("redistributors", 0x080A_0000),
        spis=keys.get("spis", 64),
    )


def _deny(path: Path_, item: dict[str, Any]) -> Deny:
    return Deny(
        path=path,
        partition=item.get("partition", "*"),
        exceptions=tuple(item.get("except", [])),
        object=item["object"],
        rights=tuple(item["rights"]),
        because=item.get("because", ""),
    )
