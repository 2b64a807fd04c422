# SPDX-License-Identifier: MIT
"""Gives everything its physical address: the file's contents in order, the pool, then what lies behind."""

from __future__ import annotations

from bulkhead.pack.plan import BLOCK, GIB, PAGE, Partition, Plan, align_up
from bulkhead.pack.shape import show
from bulkhead.pack.wire_partitions import slots

_SLACK = 1.25
_SPARE_PAGES = 8
_INTERRUPT_WORD = 8
_DISTRIBUTOR = 0x1_0000


def place(plan: Plan, core_size: int, table_size: int) -> None:
    """Places all extents and sizes the pool; what does not fit the machine's RAM is the user's mistake."""
    base = plan.abi.constant("image_address")
    at = base + align_up(core_size) + align_up(table_size)
    for extent in (one for one in plan.extents if one.in_file):
        extent.base = align_up(at, extent.align)
        at = extent.base + extent.size
    plan.file_end = align_up(at)
    plan.pool_base = plan.file_end
    for _ in range(8):  # the pool holds tables, whose number depends on where things lie
        at = plan.pool_base + plan.pool_size
        for extent in (one for one in plan.extents if not one.in_file):
            extent.base = align_up(at, extent.align)
            at = extent.base + extent.size
        plan.memory_end = at
        size = _pool_size(plan)
        if size == plan.pool_size:
            break
        plan.pool_size = size
    _check_fit(plan)


def _check_fit(plan: Plan) -> None:
    system = plan.system
    end = system.board.ram_base + (system.memory_mib << 20)
    image = plan.abi.constant("image_address")
    if not system.board.ram_base <= image < end:
        raise system.board.source.error(
            "E033",
            f"the core lies at {show(image)}, which is not in the board's RAM "
            f"({size_text(system.memory_mib << 20)} at {show(system.board.ram_base)})",
            ("ram",),
        )
    if plan.memory_end <= end:
        return
    parts = sorted(plan.extents, key=lambda extent: -extent.size)[:4]
    names = ", ".join(f"{extent.name} {size_text(extent.size)}" for extent in parts)
    path = ("system", "memory_mib") if "memory_mib" in system.source.data["system"] else ("system",)
    need = align_up(plan.memory_end - system.board.ram_base, 1 << 20) >> 20
    raise system.source.error(
        "E033",
        f"the system needs {need} MiB of memory, but the machine has {system.memory_mib} MiB",
        path,
        f"the largest parts are {names}; raise memory_mib in [system] or make them smaller",
    )


def size_text(size: int) -> str:
    """Bytes as a reader wants them."""
    if size >= 1 << 20:
        return f"{size / (1 << 20):g} MiB" if size % (1 << 20) == 0 else f"{size >> 20} MiB"
    return f"{align_up(size, 1024) >> 10} KiB"


def table_pages(partition: Partition) -> int:
    """Stage-2 tables below the root that the partition's mappings need, as the core's mapper makes them."""
    level2: set[int] = set()
    level3: set[int] = set()
    for mapping in partition.mappings:
        walk(mapping.ipa, mapping.memory.physical, mapping.memory.size, level2, level3)
    for pages in partition.pages:
        walk(pages.ipa, PAGE, pages.size, level2, level3)
    return len(level2) + len(level3) + partition.window_tables


def walk(ipa: int, physical: int, size: int, level2: set[int], level3: set[int]) -> None:
    """Notes the tables that one mapping needs: level 2 by GiB, level 3 by 2 MiB."""
    while size > 0:
        step = PAGE
        for block in (GIB, BLOCK):
            if size >= block and not (ipa | physical) % block:
                step = block
                break
        if step < GIB:
            level2.add(ipa // GIB)
        if step < BLOCK:
            level3.add(ipa // BLOCK)
            step = min(size, BLOCK - ipa % BLOCK)
        ipa, physical, size = ipa + step, physical + step, size - step


def object_slots(plan: Plan) -> int:
    """The object table's length: entry 0, what is packed, what may be made at run time."""
    quota = sum(partition.native.objects for partition in plan.natives() if partition.native)
    return len(plan.objects) + 1 + quota


def _pool_size(plan: Plan) -> int:
    """Bytes of the pool as abi/image.hpp reckons, with a quarter to spare."""
    abi = plan.abi
    pages = align_up(object_slots(plan) * abi.constant("object_slot_bytes")) // PAGE
    for partition in plan.partitions.values():
        partition.table_pages = table_pages(partition)
        table = align_up(slots(partition) * 16) // PAGE
        pages += abi.constant("pool_pages_per_partition") + table - 1
        pages += 1 + partition.table_pages  # the root
        pages += abi.constant("pool_pages_per_vcpu") * len(partition.vcpus)
        if partition.vm:
            spis = partition.vm.gic.spis if partition.vm.gic else 0
            words = 32 * len(partition.vcpus) + spis
            pages += align_up(words * _INTERRUPT_WORD) // PAGE
    pages = int(pages * _SLACK) + 1
    pages += _core_tables(plan, plan.pool_size or pages * PAGE)
    return (pages + _SPARE_PAGES) * PAGE


def _core_tables(plan: Plan, pool_size: int) -> int:
    """The core's own translation tables: it maps by single pages what it uses, and what may be donated."""
    board, image = plan.system.board, plan.abi.constant("image_address")
    first = min((extent.base for extent in plan.extents if extent.in_file), default=plan.file_end)
    ranges = [
        (image, first - image),
        (plan.pool_base, pool_size),
        (board.distributor, _DISTRIBUTOR),
        (board.redistributors, board.redistributor_stride * plan.system.cores),
        (board.devices[board.uart].address or 0, PAGE),
    ]
    ranges += [(memory.physical, memory.size) for memory in plan.memories if memory.donatable]
    level3 = {
        block
        for base, size in ranges
        for block in range(base // BLOCK, (base + size - 1) // BLOCK + 1)
    }
    return len(level3) + len({block * BLOCK // GIB for block in level3})
