# SPDX-License-Identifier: MIT
"""One call of `bench`: measures what was chosen, and says on a terminal what it is at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from bulkhead import bench_linux
from bulkhead.bench import peers
from bulkhead.bench.figures import Figure, Results, this_tree
from bulkhead.bench.measure import Bench, figures_of
from bulkhead.bench.operations import BY_NAME, DEMO, OPERATIONS, SWITCH, VM
from bulkhead.bench.peer import Guest
from bulkhead.bench.scaling import scaling
from bulkhead.bench.sizes import sizes
from bulkhead.bench.stretch import stretch
from bulkhead.errors import UserError
from bulkhead.paths import build_folder

_LINUX = "linux."
_CONSOLE = "console"


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
        results.operations |= linux([name for name in names if name.startswith(_LINUX)], cpu)
        for peer in others:
            status.update(f"measuring {peer}")
            results.peers[peer] = peer_figures(peer, cpu, scratch)
    return results


def check(names: Sequence[str], cpu: str | None, others: Sequence[str]) -> None:
    """Complains about what cannot be measured, before anything is."""
    for peer in others:
        if peer not in peers.PEERS:
            hint = f"it is one of {', '.join(peers.PEERS)}"
            raise UserError(f"--peer {peer}: there is no such peer", code="bench-peer", hint=hint)


def linux(names: Sequence[str], cpu: str | None) -> dict[str, Figure]:
    """Linux's workloads as ratios, and what a byte costs above native."""
    wanted = {_CONSOLE if name == "linux.byte" else name.removeprefix(_LINUX) for name in names}
    if not wanted:
        return {}
    found = {work.name: work for work in bench_linux.measure(sorted(wanted))}
    figures = {_LINUX + name: Figure(round(work.ratio, 5)) for name, work in found.items()}
    if _CONSOLE in found:
        work = found[_CONSOLE]
        figures["linux.byte"] = Figure(round((work.vm - work.native) / work.rounds, 1))
    return {name: figures[name] for name in names}


def peer_figures(peer: str, cpu: str | None, scratch: Path) -> dict[str, Figure]:
    """The same guest under a peer. A sleep cannot be counted there: the guest sees no instructions of its host."""
    image = build_folder() / "partitions" / "bench" / "bench.img"
    figures = figures_of(peers.run(peer, Guest(image), scratch, cpu))
    figures.pop("sleep", None)
    if peer != "xen":
        figures |= figures_of(peers.run(peer, Guest(image, "sgi", 2), scratch, cpu))
    return {one.name: figures[one.name] for one in OPERATIONS if one.name in figures}
