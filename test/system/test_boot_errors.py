# SPDX-License-Identifier: MIT
"""A machine or an image that the core cannot use: one line on the UART names what is wrong, the machine ends, no guest ran."""

import dataclasses
import struct
import subprocess

import pytest

from bulkhead.pack.layout import read_abi
from bulkhead.pack.manifest import read_manifest
from bulkhead.paths import CHECKOUT, core_elf

IDLE_RAM_END = 0x4240_0000  # idle's memory ends here, far below the machine's 1 GiB


def refused(machine):
    """Waits for the end, which the core itself ordered; gives its one line about it."""
    assert machine.wait_off() == "error"
    assert set(machine.streams) == {"core"}
    (line,) = [line for line in machine.streams["core"].lines if "core: error" in line]
    assert machine.transcript.panic == []
    return line


@pytest.mark.parametrize(
    "change, said",
    [
        (("-M", "virtualization=off"), "started at EL1, Bulkhead needs EL2"),
        (("-M", "gic-version=2"), 'what="no GICv3" name=gicd value=0x8000000'),
        (("-smp", "1"), 'what="fewer CPUs than the system was packed for" name=cores value=0x2'),
        (("-m", "35M"), 'what="less memory than the system was packed for" name=address value=0x4'),
        (("-m", "5M"), 'what="less memory than the system was packed for" name=address value=0x4'),
    ],
    ids=["el1", "gic", "cpus", "memory", "little-memory"],
)
def test_a_machine_that_lacks_something_is_told_what(machine, change, said):
    machine.boot("idle", qemu_args=change)
    assert said in refused(machine)


def test_memory_that_nobody_uses_may_be_missing(machine):
    machine.boot("idle", qemu_args=("-m", f"{(IDLE_RAM_END - 0x4000_0000) >> 20}M"))
    machine.expect("ready", "ticker")


def test_an_image_at_the_wrong_address_says_where_it_belongs(machine):
    packed = machine.pack("idle")
    loader = ("-device", f"loader,file={packed.image},addr=0x48000000,cpu-num=0,force-raw=on")
    machine.boot(packed, kernel=False, qemu_args=loader)
    assert "loaded at the wrong address" in refused(machine)


@pytest.fixture(scope="module")
def table():
    """Where the boot table's fields and records lie in an image."""
    return Table()


class Table:
    """The boot table of `idle`, by the ABI."""

    def __init__(self):
        self.abi = read_abi(core_elf())

    def start(self, image):
        magic = struct.pack("<Q", self.abi.constant("boot_magic"))
        (at,) = [at for at in range(0, len(image), 4096) if image[at : at + 8] == magic]
        return at

    def field(self, name):
        return next(one.offset for one in self.abi.structs["BootHeader"].fields if one.name == name)

    def payloads(self, image):
        """Each payload's name and where its bytes are in the file."""
        start = self.start(image)
        header = self.abi.decode("BootHeader", image, start)
        records = start + self.abi.size("BootHeader")
        for index in range(header["record_count"]):
            at = records + index * self.abi.size("BootRecord")
            kind = self.abi.decode("RecordHead", image, at)["type"]
            if kind == self.abi.value("RecordType", "payload"):
                record = self.abi.decode("BootPayload", image, at)
                yield record["name"], record["base"] - self.abi.constant("image_address")


def boot_damaged(machine, tmp_path, at, bits=0xFF):
    """Boots `idle` with the byte at `at` of its image changed."""
    packed = machine.pack("idle")
    image = bytearray(packed.image.read_bytes())
    image[at] ^= bits
    copy = tmp_path / "damaged.img"
    copy.write_bytes(image)
    machine.boot(dataclasses.replace(packed, image=copy))


@pytest.mark.parametrize(
    "field, byte, said",
    [
        ("magic", 0, 'what="no boot table behind the core" name=magic'),
        ("version", 0, 'what="boot table of another version" name=version value=0xfe'),
        ("size", 0, "the boot table is damaged"),
        ("size", 3, "the boot table is damaged"),  # as if it were larger than the machine's memory
        ("crc32", 0, "the boot table is damaged"),
        ("record_count", 3, "the boot table is damaged"),
        ("pool_size", 7, "the boot table is damaged"),
    ],
)
def test_a_damaged_boot_table_is_not_used(machine, tmp_path, table, field, byte, said):
    image = machine.pack("idle").image.read_bytes()
    boot_damaged(machine, tmp_path, table.start(image) + table.field(field) + byte)
    line = refused(machine)
    assert said in line and 'mend="pack the image again"' in line


def test_a_damaged_record_is_not_used(machine, tmp_path, table):
    image = machine.pack("idle").image.read_bytes()
    at = table.start(image) + table.abi.size("BootHeader") + 5 * table.abi.size("BootRecord") + 9
    boot_damaged(machine, tmp_path, at, bits=1)
    assert "the boot table is damaged" in refused(machine)


@pytest.mark.parametrize("name", ["console.text", "lifecycle.env"])
def test_a_damaged_payload_is_named(machine, tmp_path, table, name):
    at = dict(table.payloads(machine.pack("idle").image.read_bytes()))[name]
    boot_damaged(machine, tmp_path, at + 1, bits=1)
    assert f'what="a payload is damaged" name={name} value=0x' in refused(machine)


@pytest.mark.parametrize("name", ["pair.kernel", "pair.dtb"])
def test_a_vm_whose_payload_is_damaged_is_not_started_and_the_others_are(
    machine, tmp_path, table, name
):
    payloads = read_manifest(machine.pack("idle").image)[0]["payloads"]
    (payload,) = [one for one in payloads if one["name"] == name]
    last = payload["base"] + payload["size"] - 1 - table.abi.constant("image_address")
    boot_damaged(machine, tmp_path, last, bits=1)
    failed = machine.expect(event="vm.failed", vm="pair", payload=name)
    assert failed.keys["reason"] == "a payload is damaged"
    assert failed.keys["mend"] == "pack the image again"
    machine.expect("ready", "ticker")
    assert machine.streams["pair"].text == ""


def test_run_repeats_what_the_core_refused():
    command = [CHECKOUT / "tools" / "bulkhead", "run", "idle", "--qemu-arg=-smp", "--qemu-arg=1"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("bulkhead: the machine ended: ") and "fewer CPUs than" in last
