# SPDX-License-Identifier: MIT
"""One call of `bench`: measures what was chosen, and says on a terminal what it is at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from bulkhead import bench_linux
from bulkhead.bench import peers
from bulkhead.bench.figures import Figure, Results, this_tree
from bulkhead.bench.measure import Bench, figures_of
from bulkhead.bench.operations import BY_NAME, DEMO, SWITCH, VM
from bulkhead.bench.peer import Guest
from bulkhead.bench.scaling import scaling
from bulkhead.bench.sizes import sizes
from bulkhead.bench.stretch import stretch
from bulkhead.bench_linux import Workload
from bulkhead.errors import UserError
from bulkhead.paths import build_folder

_LINUX = "linux."
_BYTE = "linux.byte"
_ONE_GUEST = ("exits", "timer")
_WITH_TWO_CPUS = (
    "kvm",
)  # Xen's vCPUs sleep while they wait, and QEMU's icount loses what would wake them


def measure(names: Sequence[str], cpu: str | None, others: Sequence[str], scratch: Path) -> Results:
    """Measures `names` (of `operations.chosen`) and the peers; `scratch` is a folder for images."""
    bench = Bench(scratch, cpu)
    results = Results(this_tree(), cpu or "cortex-a72")
    with Console(stderr=True).status("") as status:
        for name in names:
            status.update(f"measuring {BY_NAME[name].title if name in BY_NAME else name}")
            if name == "scaling":
                results.scaling = scaling(bench, scratch)
            elif name == "sizes":
                images = [bench.pack(system).image for system in (DEMO, VM, SWITCH)]
                results.sizes = sizes(*images)
            elif name == "stretch":
                results.operations[name] = stretch(bench, scratch)
            elif BY_NAME[name].group != "linux":
                results.operations[name] = bench.operation(name)
        status.update("measuring Linux")
        works = linux([name for name in names if name.startswith(_LINUX)], cpu)
        results.operations |= _figures(works, names)
        for peer in others:
            status.update(f"measuring {peer}")
            found = peer_figures(bench, peer, names, cpu, scratch)
            found |= peer_linux(peer, works, names, cpu, scratch)
            results.peers[peer] = {name: found[name] for name in names if name in found}
    return results


def check(others: Sequence[str]) -> None:
    """Complains about what cannot be measured, before anything is."""
    for peer in others:
        if peer not in peers.PEERS:
            hint = f"it is one of {', '.join(peers.PEERS)}"
            raise UserError(f"--peer {peer}: there is no such peer", code="bench-peer", hint=hint)
    for peer in others:
        peers.fetch(peer)


def linux(names: Sequence[str], cpu: str | None) -> list[Workload]:
    """Linux's workloads, in a VM and natively."""
    wanted = {bench_linux.PL011 if name == _BYTE else name.removeprefix(_LINUX) for name in names}
    return bench_linux.measure(sorted(wanted), cpu) if wanted else []


def _figures(works: Sequence[Workload], names: Sequence[str]) -> dict[str, Figure]:
    """Ratios, and what a byte costs above native, of what is in `names`."""
    found = {_LINUX + work.name: Figure(round(work.ratio, 5)) for work in works}
    for work in works:
        if work.name == bench_linux.PL011:
            found[_BYTE] = Figure(round((work.vm - work.native) / work.rounds, 1))
    return {name: found[name] for name in names if name in found}


def peer_linux(
    peer: str, works: Sequence[Workload], names: Sequence[str], cpu: str | None, scratch: Path
) -> dict[str, Figure]:
    """The same workloads under a peer, against the same native counts: all but the boot and the VirtIO console."""
    not_there = (bench_linux.BOOT, bench_linux.CONSOLE)
    words = {work.name: bench_linux.word(work.name) for work in works if work.name not in not_there}
    if not words:
        return {}
    counted = peers.workloads(peer, list(words.values()), scratch, cpu)
    there = [replace(work, vm=counted[words[work.name]][1]) for work in works if work.name in words]
    return _figures(there, names)


def peer_figures(
    bench: Bench, peer: str, names: Sequence[str], cpu: str | None, scratch: Path
) -> dict[str, Figure]:
    """The same guest under a peer, whose PMU it does not see: a sleep is counted by all that the machine executes."""
    image = build_folder() / "partitions" / "bench" / "bench.img"
    found: dict[str, Figure] = {}
    if any(BY_NAME[name].group in _ONE_GUEST for name in names if name in BY_NAME):
        found = figures_of(peers.run(peer, Guest(image), scratch, cpu))
        found.pop("sleep", None)
    if "sleep" in names:
        whole = peers.sleep(peer, scratch, cpu)
        found["sleep"] = Figure(round(whole - bench.native()["sleep"].mean, 1))
    if "sgi" in names and peer in _WITH_TWO_CPUS:
        found |= figures_of(peers.run(peer, Guest(image, "sgi", 2), scratch, cpu))
    return found
