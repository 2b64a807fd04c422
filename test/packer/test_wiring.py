# SPDX-License-Identifier: MIT
"""What a description's keys lead to in the image: grants, shared memory, devices, services of one's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import compile_native

from boot_image import Image, parse_image
from bulkhead.errors import UserError
from bulkhead.pack import pack_system, plan_system
from bulkhead.pack.place import table_pages, walk
from bulkhead.pack.shape import SCHEMA

MIB = 1 << 20
FIVE = "".join(f"[service.{name}]\n" for name in ("console", "uart", "timer", "gic", "lifecycle"))
GUEST = '[vm.guest]\nimage = "@guest"\nram_mib = 16\n'
BARE = GUEST + "uart = false\ngic = false\ntimer = false\n"


@pytest.fixture
def pack(write: Callable[[str], Path], build: Path, tmp_path: Path) -> Callable[[str], Image]:
    """Packs a description and reads the image back."""

    def pack_text(text: str) -> Image:
        file = write(text)
        output = tmp_path / "system.img"
        pack_system(file, output, build=build)
        _, plan, core = plan_system(file, build=build)
        return parse_image(plan.abi, output.read_bytes(), len(core.data))

    return pack_text


def rights(image: Image, *names: str) -> int:
    """The bits of rights, by the ABI's names."""
    return sum(image.abi.constant(f"right.{name}") for name in names)


def test_a_call_names_the_caller_by_its_badge(pack: Callable[[str], Image]) -> None:
    """Callers count from 1: a badge of 0 could be replaced by its holder."""
    image = pack(
        '[service.block]\n[partition.one]\ncalls = ["block"]\n[partition.two]\ncalls = ["block"]\n'
    )
    block = image.environment("block")
    assert (block["callers"][1], block["caller.2.name"][3]) == (2, "two")
    handle = image.environment("two")["call.block"]
    capability = image.capabilities("two")[handle[1]]
    assert (capability["head"]["flags"], capability["badge"]) == (rights(image, "call"), 2)
    assert handle[2] == image.abi.value("ObjectType", "endpoint")
    (endpoint,) = image.of("endpoint")
    assert endpoint["head"]["object"] == capability["head"]["object"]
    assert endpoint["max_us"] == 500_000


def test_a_signal_has_one_bit_on_both_sides(pack: Callable[[str], Image]) -> None:
    """And the capability allows no other."""
    image = pack('[partition.one]\nnotifies = ["two"]\n[partition.two]\n')
    bit = image.environment("one")["notify.two.signal"][1]
    assert image.environment("two")["signal.one"][1] == bit
    capability = image.capabilities("one")[image.environment("one")["notify.two"][1]]
    assert capability["badge"] == 1 << bit


def test_memory_is_shared_by_derivation(pack: Callable[[str], Image]) -> None:
    """Two mappings of the same pages, each with its own access."""
    image = pack(
        '[partition.one]\nmemory = { box = "rw" }\n[partition.two]\nmemory = { box = "r" }\n'
        "[memory.box]\nsize_kib = 8\n"
    )
    views = [image.maps(name)[image.environment(name)["region.box"][1]] for name in ("one", "two")]
    assert views[0]["base"] == views[1]["base"]
    assert [view["access"] for view in views] == [3, 1]
    assert views[1]["parent"] == views[0]["head"]["object"]
    assert image.at(views[0]["base"], 8192) == bytes(8192)


def test_guest_memory_is_seen_only_where_granted(pack: Callable[[str], Image]) -> None:
    """By 2 MiB blocks, with the guest's address beside it."""
    image = pack('[partition.spy]\nguest_memory = { guest = "r" }\n[partition.one]\n' + BARE)
    _, ipa, size, _ = image.environment("spy")["guest.guest"]
    view, ram = image.maps("spy")[ipa], image.maps("guest")[0x4000_0000]
    assert (view["base"], view["access"], size) == (ram["base"], 1, 16 * MIB)
    assert image.environment("spy")["guest.guest.base"][1] == 0x4000_0000
    assert not any(
        one["base"] < ram["base"] + ram["size"] and ram["base"] < one["base"] + one["size"]
        for one in image.maps("one").values()
    )


VIRTIO = FIVE.replace("[service.console]", '[service.console]\nfocus = "guest.hvc0"')
VIRTIO += "[service.virtio-console]\n"


def test_a_virtio_console_sees_its_clients_ram_and_no_others(pack: Callable[[str], Image]) -> None:
    """Device page, interrupt, rings under the stream's name, and the RAM of the VMs that have one."""
    other = GUEST.replace("vm.guest", "vm.other")
    image = pack(VIRTIO + other + GUEST + "virtio_console = true\n")
    entries = image.environment("virtio-console")
    assert (entries["clients"][1], entries["client.0.name"][3]) == (1, "guest")
    assert (entries["client.0.base"][1], entries["client.0.intid"][1]) == (0x0A00_0000, 48)
    maps = image.maps("virtio-console")
    _, ipa, size, _ = entries["client.0.ram"]
    ram = image.maps("guest")[0x4000_0000]
    assert (maps[ipa]["base"], maps[ipa]["access"], size) == (ram["base"], 3, 16 * MIB)
    assert entries["client.0.ram.base"][1] == 0x4000_0000
    others = [image.maps("other")[0x4000_0000]["base"]]
    assert not {one["base"] for one in maps.values()} & set(others)
    for service in ("uart", "timer", "gic", "console"):
        assert ram["base"] not in {one["base"] for one in image.maps(service).values()}
    capability = image.capabilities("virtio-console")[entries["client.0.vm"][1]]
    assert capability["head"]["object"] == image.partition("guest")
    assert capability["head"]["flags"] == rights(image, "interrupt_line")
    assert capability["badge"] == 48 | 48 << 16
    console = image.environment("console")
    number = entries["client.0.tx.signal"][1]
    assert console[f"stream.{number}.name"][3] == "guest.hvc0"
    assert console["focus"][1] == number
    ring = maps[entries["client.0.rx"][1]]
    assert image.maps("console")[console[f"stream.{number}.in"][1]]["base"] == ring["base"]
    names = [name for name in image.environment("lifecycle") if name.startswith("vm.1.service")]
    assert "vm.1.service.3" in names and "vm.0.service.3" not in image.environment("lifecycle")


def test_a_device_brings_registers_and_interrupt(pack: Callable[[str], Image]) -> None:
    """Bound to the owner's notification on the core of its first vCPU."""
    image = pack(
        '[partition.probe]\ndevices = ["rtc", "tick"]\n[device.tick]\nintid = 40\nedge = true\n'
    )
    entries = image.environment("probe")
    registers = image.maps("probe")[entries["device.rtc"][1]]
    assert (registers["base"], registers["head"]["flags"] & 0xFF) == (0x0901_0000, 1)
    assert entries["device.rtc"][1] >= 0x1_0000_0000
    interrupts = {one["intid"]: one for one in image.of("interrupt")}
    assert (interrupts[34]["head"]["flags"], interrupts[40]["head"]["flags"]) == (0, 1)
    capability = image.capabilities("probe")[entries["interrupt.tick"][1]]
    assert capability["head"]["flags"] == rights(image, "acknowledge")
    binds = {one["head"]["object"]: one for one in image.of("bind")}
    bind = binds[interrupts[40]["head"]["object"]]
    assert bind["signal"] == entries["interrupt.tick.signal"][1]
    assert bind["head"]["flags"] == 0


def test_a_device_and_what_is_used_beside_it_fit_into_a_tlb_together(
    pack: Callable[[str], Image]
) -> None:
    """The console looks at the PL011 and into its state for each byte; QEMU's TLB goes by the low bits of page numbers."""
    image = pack(FIVE)
    entries, maps = image.environment("console"), image.maps("console")
    device, state = entries["device.pl011"][1], entries["state"][1]
    beside = {page for page in maps if 0x6000_0000 <= page <= state}  # stacks, too
    for bits in range(6, 23):
        low = (4096 << bits) - 1
        assert device & low not in {page & low for page in beside}


def test_a_vm_can_own_a_device(pack: Callable[[str], Image]) -> None:
    """At its own address, its interrupt hardware-linked."""
    image = pack(FIVE + GUEST + 'devices = ["rtc"]\n')
    assert image.maps("guest")[0x0901_0000]["base"] == 0x0901_0000
    (bind,) = [one for one in image.of("bind") if one["head"]["flags"] == 1]
    assert (bind["target"], bind["signal"]) == (image.partition("guest"), 34)


def test_a_service_of_ones_own_emulates_devices(pack: Callable[[str], Image]) -> None:
    """It learns of its clients as the standard services do, and lifecycle resets it too."""
    image = pack(
        FIVE + "[service.block]\n" + GUEST + "emulated = [\n"
        '  { service = "block", address = 0x0a000000, intid = 48, compatible = "virtio,mmio" },\n'
        '  { service = "block", address = 0x0a002000, size = 0x2000, intid = 49 },\n]\n'
    )
    entries = image.environment("block")
    assert entries["clients"][1] == 1 and entries["client.0.name"][3] == "guest"
    assert [entries[f"client.0.device.{n}"][1] for n in range(2)] == [0x0A00_0000, 0x0A00_2000]
    capability = image.capabilities("block")[entries["client.0.vm"][1]]
    assert capability["badge"] == 48 | 49 << 16
    pages = {one["ipa"]: one["pages"] for one in image.of("device")}
    assert (pages[0x0A00_0000], pages[0x0A00_2000]) == (1, 2)
    lifecycle = image.environment("lifecycle")
    assert lifecycle["vm.0.services"][1] == 4


def test_grants_give_handles_by_name(pack: Callable[[str], Image]) -> None:
    """What tests of the hypercalls need."""
    image = pack(
        """
[partition.probe]
objects = 8
window_mib = 2
grants = [
  { partition = "self", rights = ["delegate", "map", "create"] },
  { vcpu = "self.0", rights = ["inspect"] },
  { memory = "pool", rights = ["map", "derive", "donate"] },
  { notification = "self", rights = ["signal", "serve"], signals = [0, 5] },
  { endpoint = "one", rights = ["call", "serve"], badge = 7 },
  { interrupt = "rtc", rights = ["bind", "acknowledge"] },
  { partition = "guest", rights = ["interrupt"], intids = [33, 40] },
  { vcpu = "guest.0", rights = ["all"] },
]
[service.one]
[memory.pool]
size_kib = 64
donatable = true
"""
        + BARE
    )
    entries = image.environment("probe")
    held = image.capabilities("probe")

    def grant(name: str) -> tuple[int, int]:
        capability = held[entries[name][1]]
        return capability["head"]["flags"], capability["badge"]

    assert grant("partition.self") == (rights(image, "delegate", "map_into", "create_vcpu"), 0)
    assert grant("vcpu.self.0") == (rights(image, "inspect"), 0)
    assert grant("memory.pool") == (rights(image, "map_memory", "derive", "donate"), 0)
    assert grant("notification.self") == (rights(image, "signal", "serve"), 1 | 1 << 5)
    assert grant("endpoint.one") == (rights(image, "call", "serve"), 7)
    assert grant("interrupt.rtc") == (rights(image, "bind", "acknowledge"), 0)
    assert grant("partition.guest") == (rights(image, "interrupt_line"), 33 | 40 << 16)
    assert grant("vcpu.guest.0") == (0xFFFF, 0)
    assert entries["memory.pool.size"][1] == 65536
    assert entries["slots.free"][1] == len(held) + 1 < entries["slots"][1]
    assert entries["window"][1] == 0x10_0000_0000
    (probe,) = [one for one in image.of("partition") if one["name"] == "probe"]
    assert probe["object_quota"] == 8
    pool = [one for one in image.of("memory") if one["head"]["flags"] == 1 << 8]
    assert [one["size"] for one in pool] == [65536]


def test_properties_arrive_as_numbers_and_texts(pack: Callable[[str], Image]) -> None:
    """Truth is 1 or 0."""
    image = pack('[partition.one]\nproperties = { speed = 3, greeting = "hé", on = true }\n')
    entries = image.environment("one")
    assert entries["property.speed"][:2] == ("property", 3)
    assert entries["property.greeting"][3] == "hé"
    assert entries["property.on"][1] == 1
    assert entries["name"][3] == "one"


def test_without_lifecycle_a_vm_lies_loaded_in_the_image(pack: Callable[[str], Image]) -> None:
    """And starts by itself; its fault ends the machine."""
    image = pack(BARE)
    (start,) = image.of("start")
    assert (start["entry"], start["x0"]) == (0x4020_0000, 0x4000_0000)
    ram = image.maps("guest")[0x4000_0000]
    assert image.at(ram["base"] + 0x20_0000, 64)[56:60] == b"ARM\x64"
    assert image.at(ram["base"], 4) == b"\xd0\x0d\xfe\xed"
    assert len(image.at(ram["base"], ram["size"])) == 16 * MIB
    assert image.of("partition")[0]["supervisor"] == 0


def test_without_console_there_are_no_rings(pack: Callable[[str], Image]) -> None:
    """The core keeps the UART."""
    image = pack("[partition.one]\n")
    assert "log" not in image.environment("one")


def test_every_core_gets_a_server(pack: Callable[[str], Image]) -> None:
    """By default; a partition of one's own runs on core 0."""
    image = pack('[system]\nboard = "qemu-virt"\ncores = 8\n[service.block]\n[partition.one]\n')
    cores = {one["head"]["object"]: one["core"] for one in image.of("vcpu")}
    assert sorted(cores[one["vcpu"]] for one in image.of("server")) == list(range(8))
    assert len(cores) == 9


def test_keyboard_input_reaches_who_takes_it(pack: Callable[[str], Image]) -> None:
    """A ring on both sides, a signal, and the focus."""
    image = pack('[service.console]\nfocus = "one"\n[partition.one]\ninput = true\n')
    console, one = image.environment("console"), image.environment("one")
    assert console["focus"][1] == 2 and console["stream.2.name"][3] == "one"
    ring = image.maps("console")[console["stream.2.in"][1]]
    assert ring["base"] == image.maps("one")[one["input"][1]]["base"]
    assert console["stream.2.in.signal"][1] == one["input.signal"][1]
    notify = image.capabilities("console")[console["stream.2.in.notify"][1]]
    assert notify["badge"] == 1 << one["input.signal"][1]


@pytest.mark.parametrize(
    ("ipa", "physical", "size", "level2", "level3"),
    [
        (0x4000_0000, 0x4060_0000, 16 * MIB, 1, 0),
        (0x4000_0000, 0x4060_1000, 2 * MIB, 1, 1),
        (0x4000_0000, 0x4060_1000, 4 * MIB, 1, 2),
        (0x4010_0000, 0x4070_0000, 2 * MIB, 1, 2),
        (0x4010_0000, 0x4070_0000, 4 * MIB, 1, 2),
        (0x4000_0000, 0x8000_0000, 1 << 30, 0, 0),
        (0x3FE0_0000, 0x7FE0_0000, (1 << 30) + 2 * MIB, 1, 0),
        (0x3FFF_F000, 0x4000_0000, 8192, 2, 2),
    ],
)
def test_tables_are_counted_as_the_core_makes_them(
    ipa: int, physical: int, size: int, level2: int, level3: int
) -> None:
    """Blocks where both addresses and the rest allow."""
    tables: tuple[set[int], set[int]] = (set(), set())
    walk(ipa, physical, size, *tables)
    assert (len(tables[0]), len(tables[1])) == (level2, level3)


def test_tables_of_a_guest(write: Callable[[str], Path], build: Path) -> None:
    """RAM by blocks: one level 2; GIC and UART: one level 2, level 3 for 0x08000000 and 0x09000000."""
    _, plan, _ = plan_system(write(FIVE + GUEST), build=build)
    assert table_pages(plan.partitions["guest"]) == 4


def test_a_vm_can_share_memory(pack: Callable[[str], Image]) -> None:
    """At an address of its own choice."""
    image = pack(
        '[partition.one]\nmemory = { box = "rw" }\n[memory.box]\nsize_kib = 8\n'
        + BARE
        + 'memory = { box = { address = 0x04000000, access = "r" } }\n'
    )
    view = image.maps("guest")[0x0400_0000]
    root = image.maps("one")[image.environment("one")["region.box"][1]]
    assert (view["base"], view["access"]) == (root["base"], 1)


def test_a_board_must_have_ram_where_the_core_lies(
    write: Callable[[str], Path], build: Path, tmp_path: Path
) -> None:
    """The core is linked for one address."""
    small = (Path(__file__).parent / "boards" / "small.toml").read_text()
    (tmp_path / "far.toml").write_text(small.replace("0x4000_0000", "0x8000_0000"))
    file = write('[system]\nboard = "far.toml"\n[partition.one]\n')
    with pytest.raises(UserError) as caught:
        plan_system(file, build=build)
    assert caught.value.code == "E033"
    assert caught.value.message == (
        "the core lies at 0x40200000, which is not in the board's RAM " "(64 MiB at 0x80000000)"
    )


BOUNDS = """
namespace uart { constexpr unsigned max_clients = 1, max_client_vcpus = 8; }
namespace virtio_console { constexpr unsigned max_clients = 1; }
namespace lifecycle { constexpr unsigned max_vms = 4, max_services = 2; }
extern "C" void _start() { for (;;) {} }
"""


@pytest.mark.parametrize(
    ("role", "message"),
    [
        ("uart", "the service 'uart' serves at most 1 VMs, and it has 2 of them"),
        (
            "virtio-console",
            "the service 'virtio-console' serves at most 1 VMs, and it has 2 of them",
        ),
        (
            "lifecycle",
            "the service 'lifecycle' looks after at most 2 services of a VM, and 'guest' has 3 of them",
        ),
    ],
)
def test_a_services_own_bounds_are_kept(
    role: str, message: str, write: Callable[[str], Path], build: Path, tmp_path: Path
) -> None:
    """It states them as constants, which its debug information has."""
    (tmp_path / "bounds.cpp").write_text(BOUNDS)
    compile_native(tmp_path / "bounds.cpp", tmp_path / "bounds.elf")
    services, guest = FIVE, GUEST
    if role == "virtio-console":
        services, guest = FIVE + "[service.virtio-console]\n", GUEST + "virtio_console = true\n"
    services = services.replace(
        f"[service.{role}]\n", f'[service.{role}]\nprogram = "bounds.elf"\n'
    )
    other = guest.replace("vm.guest", "vm.other")
    with pytest.raises(UserError) as caught:
        plan_system(write(services + guest + other), build=build)
    assert (caught.value.code, caught.value.message) == ("E034", message)


@pytest.mark.parametrize(
    ("cores", "guest", "service"), [(1, [0, 0], [0]), (4, [0, 1], [0, 1, 2, 3])]
)
def test_a_system_can_be_packed_for_other_cores(
    cores: int, guest: list[int], service: list[int], write: Callable[[str], Path], build: Path
) -> None:
    """Fewer: folded onto those there are. More: the services follow."""
    text = '[system]\nboard = "qemu-virt"\ncores = 2\n' + FIVE + GUEST + "cores = [0, 1]\n"
    _, plan, _ = plan_system(write(text), build=build, cores=cores)
    assert plan.system.cores == cores
    assert [vcpu.core for vcpu in plan.partitions["guest"].vcpus] == guest
    assert [vcpu.core for vcpu in plan.partitions["uart"].vcpus] == service


def test_the_documentation_knows_every_key() -> None:
    """Those of the JSON Schema."""
    schema = json.loads(SCHEMA.read_text())
    text = (Path(__file__).parents[2] / "docs" / "system-description.md").read_text()
    parts = ("native", "grant", "vm", "emulated", "memory", "device", "deny", "board")
    keys = {key for part in parts for key in schema["$defs"][part]["properties"]}
    keys |= set(schema["properties"]["system"]["properties"])
    assert sorted(key for key in keys if f"`{key}" not in text and f"{key} =" not in text) == []
