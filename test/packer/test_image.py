# SPDX-License-Identifier: MIT
"""The demo's image, read back as the core would: it says what the plan says."""

from __future__ import annotations

import re
import struct
import zlib
from itertools import pairwise
from pathlib import Path

import pytest

from boot_image import Image, parse_image
from bulkhead.pack import pack_system, plan_system
from bulkhead.pack.plan import Plan
from bulkhead.pack.records import records

DEMO = Path(__file__).parents[2] / "partitions" / "demo" / "system.toml"
MIB = 1 << 20


@pytest.fixture(scope="session")
def packed(build: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Image]:
    """The demo with stand-ins for its programs."""
    output = tmp_path_factory.mktemp("image") / "demo.img"
    system = pack_system(DEMO, output, console_format="framed", build=build)
    assert system.cpus == 2 and system.default_cpu == "cortex-a72"
    assert system.partitions[0] == "console" and "u-boot" in system.partitions
    _, plan, core = plan_system(DEMO, console_format="framed", build=build)
    return plan, parse_image(plan.abi, output.read_bytes(), len(core.data))


def test_records_come_back_as_planned(packed: tuple[Plan, Image]) -> None:
    """All of them, in order, value by value."""
    plan, image = packed
    planned = list(records(plan))
    assert len(planned) == len(image.records)
    for (kind, values), (read_kind, read) in zip(planned, image.records):
        assert kind == read_kind
        assert read["head"]["object"] == values["object"]
        assert read["head"]["flags"] == values.get("flags", 0)
        rest = {key: value for key, value in values.items() if key not in ("object", "flags")}
        assert {key: read[key] for key in rest} == rest


def test_an_object_is_made_once_and_before_it_is_used(packed: tuple[Plan, Image]) -> None:
    """Creating records cover the object table; a memory comes after its parent, the rest after both."""
    plan, image = packed
    creating = ("memory", "partition", "vcpu", "endpoint", "notification", "interrupt")
    made = [read["head"]["object"] for kind, read in image.records if kind in creating]
    assert sorted(made) == list(range(1, len(plan.objects) + 1))
    assert image.header["objects"] > len(plan.objects)
    place = {index: at for at, index in enumerate(made)}
    for memory in image.of("memory"):
        if memory["parent"]:
            assert place[memory["parent"]] < place[memory["head"]["object"]]
    kinds = [kind for kind, _ in image.records]
    order = list(dict.fromkeys(kinds))
    assert [kind for kind, _ in sorted(image.records, key=lambda one: order.index(one[0]))] == kinds
    assert order[-1] == "start"


def test_the_streams_have_the_numbers_that_the_readme_types(packed: tuple[Plan, Image]) -> None:
    """`Ctrl-\\ 8` in the README leads to U-Boot."""
    plan, _ = packed
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    found = re.search(r"Ctrl-\\ `(\d)` \| the keyboard goes to stream (\d), here U-Boot", readme)
    assert found and found[1] == found[2]
    assert plan.streams[int(found[1]) - 1] == "u-boot"


def test_memory_does_not_overlap_and_lies_in_ram(packed: tuple[Plan, Image]) -> None:
    """Root memory, the boot table, the pool; derived memory lies within its parent."""
    _, image = packed
    header = image.header
    ranges = [(header["pool_base"], header["pool_base"] + header["pool_size"])]
    roots = {one["head"]["object"]: one for one in image.of("memory") if not one["parent"]}
    for one in roots.values():
        if one["base"] == 0:  # the machine's device tree: where, only the core will know
            assert one["size"] == 0x1_0000
        elif one["head"]["flags"] & 0xFF == 0:
            ranges.append((one["base"], one["base"] + one["size"]))
    for (_, end), (start, _) in pairwise(sorted(ranges)):
        assert end <= start
    assert min(ranges)[0] > image.abi.constant("image_address")
    assert max(ranges)[1] <= header["ram_base"] + header["ram_size"]
    for one in image.of("memory"):
        parent = roots.get(one["parent"], one)
        assert parent["base"] <= one["base"]
        assert one["base"] + one["size"] <= parent["base"] + parent["size"]


def test_a_memory_is_mapped_at_most_once_and_never_writable_and_executable(
    packed: tuple[Plan, Image]
) -> None:
    """But for a guest's own RAM, whose stage 1 the guest rules."""
    _, image = packed
    maps = image.of("map")
    assert len({one["head"]["object"] for one in maps}) == len(maps)
    vms = {image.partition(name) for name in ("ticker", "pair", "u-boot")}
    for one in maps:
        if one["partition"] not in vms:
            assert one["head"]["flags"] & 6 != 6


def test_address_spaces_have_no_overlap_and_guards_around_stacks(
    packed: tuple[Plan, Image]
) -> None:
    """Nothing lies directly below or above a stack or a region."""
    _, image = packed
    for name in ("console", "uart", "timer", "gic", "lifecycle"):
        maps = sorted(image.maps(name).items())
        for (ipa, one), (following, _) in pairwise(maps):
            guard = 4096 if ipa >= 0x6000_0000 else 0
            assert ipa + one["size"] + guard <= following


def test_the_header_keeps_loaders_away(packed: tuple[Plan, Image]) -> None:
    """image_size covers the file and the pool."""
    _, image = packed
    (size,) = struct.unpack_from("<Q", image.data, 16)
    base = image.abi.constant("image_address")
    assert size >= len(image.data)
    assert base + size >= image.header["pool_base"] + image.header["pool_size"]
    assert image.data[56:60] == b"ARM\x64"


def test_payload_checksums_are_those_of_the_bytes(packed: tuple[Plan, Image]) -> None:
    """What the core verifies."""
    _, image = packed
    payloads = image.of("payload")
    names = {one["name"] for one in payloads}
    assert {"uart.text", "uart.env"} <= names and "u-boot.kernel" not in names
    for one in payloads:
        assert one["size"] % image.abi.constant("checksum_unit") == 0
        assert zlib.crc32(image.at(one["base"], one["size"])) == one["crc32"]


def test_natives_start_with_environment_index_and_stack(packed: tuple[Plan, Image]) -> None:
    """One start per native vCPU; VMs are started by lifecycle."""
    _, image = packed
    starts = {one["head"]["object"]: one for one in image.of("start")}
    assert len(starts) == 10
    for vcpu in image.of("vcpu"):
        start = starts.get(vcpu["head"]["object"])
        if start is None:
            continue
        assert (start["entry"], start["x0"], start["x1"]) == (0x10000, 0x6000_0000, vcpu["index"])
        assert start["stack"] == 0x7000_0000 + vcpu["index"] * MIB + 0x4000


def test_the_uart_finds_its_clients(packed: tuple[Plan, Image]) -> None:
    """Names, base, rings, and the right to raise INTID 33 and no other."""
    _, image = packed
    entries = image.environment("uart")
    assert entries["clients"][1] == 3
    assert [entries[f"client.{index}.name"][3] for index in range(3)] == [
        "ticker",
        "pair",
        "u-boot",
    ]
    assert entries["client.1.base"][1] == 0x0900_0000
    capability = image.capabilities("uart")[entries["client.1.vm"][1]]
    assert capability["head"]["object"] == image.partition("pair")
    assert capability["head"]["flags"] == image.abi.constant("right.interrupt_line")
    assert capability["badge"] == 33 | 33 << 16
    ring = image.maps("uart")[entries["client.1.tx"][1]]
    console = image.environment("console")
    number = next(n for n in range(1, 64) if console[f"stream.{n}.name"][3] == "pair")
    assert image.maps("console")[console[f"stream.{number}.out"][1]]["base"] == ring["base"]
    assert entries["client.1.tx.signal"][1] == number
    assert console["format"][3] == "framed"
    notify = image.capabilities("uart")[entries["console.notify"][1]]
    assert notify["badge"] >> number & 1


def test_lifecycle_finds_what_it_loads(packed: tuple[Plan, Image]) -> None:
    """The kernel's bytes, where they go, and the RAM to put them into."""
    _, image = packed
    entries = image.environment("lifecycle")
    assert (entries["vms"][1], entries["partitions"][1]) == (3, 4)
    assert entries["vm.2.name"][3] == "u-boot"
    _, ipa, size, _ = entries["vm.2.load.0"]
    kernel = Path("/usr/lib/u-boot/qemu_arm64/u-boot.bin").read_bytes()
    assert image.at(image.maps("lifecycle")[ipa]["base"], size) == kernel
    assert entries["vm.2.load.0.address"][1] == entries["vm.2.entry"][1] == 0x4020_0000
    assert entries["vm.2.dtb.address"][1] == entries["vm.2.load.1.address"][1] == 0x4000_0000
    ram = image.capabilities("lifecycle")[entries["vm.2.ram"][1]]
    memories = {one["head"]["object"]: one for one in image.of("memory")}
    share = memories[ram["head"]["object"]]
    assert share["size"] == 64 * MIB
    assert memories[share["parent"]]["base"] == share["base"]
    assert share["base"] % (2 * MIB) == 0
    assert entries["window.size"][1] >= 64 * MIB


def test_a_partition_is_restored_from_its_pristine_data(packed: tuple[Plan, Image]) -> None:
    """Data without its zeros."""
    _, image = packed
    entries = image.environment("lifecycle")
    index = next(k for k in range(4) if entries[f"partition.{k}.name"][3] == "uart")
    _, ipa, size, _ = entries[f"partition.{index}.data.0.pristine"]
    pristine = image.at(image.maps("lifecycle")[ipa]["base"], size)
    assert pristine == b"\x2a"
    assert entries[f"partition.{index}.data.0.size"][1] == 0x3000
    assert entries[f"partition.{index}.datas"][1] == 1


def test_faults_go_to_lifecycle_and_its_own_end_the_machine(packed: tuple[Plan, Image]) -> None:
    """Each supervised partition has a signal of its own."""
    _, image = packed
    signals = {
        one["name"]: (one["supervisor"], one["supervisor_signal"]) for one in image.of("partition")
    }
    assert signals.pop("lifecycle")[0] == 0
    assert len({signal for _, signal in signals.values()}) == len(signals)
    entries = image.environment("lifecycle")
    assert signals["pair"][1] == entries["vm.1.fault.signal"][1] == 1


def test_traps_and_device_pages_carry_the_clients_number(packed: tuple[Plan, Image]) -> None:
    """So that a service knows whose message it is."""
    plan, image = packed
    pair = image.partition("pair")
    names = {value: name for name, value in plan.abi.enums["Trap"].items()}
    traps = {
        names[one["head"]["flags"]]: one["badge"]
        for one in image.of("trap")
        if one["head"]["object"] == pair
    }
    assert traps == {"gic": 1, "timer": 1, "wfi": 1, "sysreg": 1, "smccc": 1}
    pages = {
        one["ipa"]: (one["pages"], one["badge"])
        for one in image.of("device")
        if one["head"]["object"] == pair
    }
    assert pages == {0x0900_0000: (1, 1), 0x0800_0000: (16, 1), 0x080A_0000: (64, 1)}
