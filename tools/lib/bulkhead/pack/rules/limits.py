# SPDX-License-Identifier: MIT
"""Rules of number: what there is room for."""

from __future__ import annotations

from collections.abc import Iterator

from bulkhead.errors import UserError
from bulkhead.pack.description import System

STREAMS = 61  # bits of the console's notification: 0, 62 and 63 mean something else
SUPERVISED_VMS = 32  # bits 0..31 of lifecycle's notification
SUPERVISED_NATIVES = 30  # bits 32..61
PARTITIONS = 255  # VMIDs
IN_FILE = 512 << 20


def check(system: System) -> Iterator[UserError]:
    """The system's size; and that there is something in it."""
    natives, vms = len(system.natives), len(system.vms)
    counts = [("partitions", natives + vms, PARTITIONS)]
    if system.role("console"):
        counts.append(("streams", 1 + natives + len(system.vm_streams()), STREAMS))
    if system.role("lifecycle"):
        counts.append(("VMs", vms, SUPERVISED_VMS))
        counts.append(("native partitions beside lifecycle", natives - 1, SUPERVISED_NATIVES))
    path = system.vms[-1].path if system.vms else system.natives[-1].path if natives else ()
    for what, count, most in counts:
        if count > most:
            message = f"{count} {what} are too many: there is room for {most}"
            yield system.source.error("E034", message, path)
    yield from _in_file(system)
    if not natives + vms:
        hint = "add a [service.NAME], [partition.NAME] or [vm.NAME]"
        yield system.source.error("E003", "the system has no partition", ("system",), hint)


def _in_file(system: System) -> Iterator[UserError]:
    """What lies in the image as zeros: shared memory, and the RAM of VMs if nobody loads them."""
    parts = [(memory.size, memory.path) for memory in system.memories.values()]
    if not system.role("lifecycle"):
        parts += [(vm.ram_size, vm.path) for vm in system.vms]
    total = sum(size for size, _ in parts)
    if total > IN_FILE:
        message = f"{total >> 20} MiB would have to lie in the image file, of 512 MiB at most"
        hint = "[memory.NAME], and without [service.lifecycle] the RAM of VMs, lie in the file"
        yield system.source.error("E033", message, max(parts)[1], hint)
