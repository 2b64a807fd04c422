# SPDX-License-Identifier: MIT
"""One call of `bench`: measures what was chosen, and says on a terminal what it is at."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from rich.console import Console

from bulkhead.bench.figures import Figure, Results, this_tree
from bulkhead.bench.measure import Bench
from bulkhead.bench.operations import BY_NAME, DEMO, SWITCH, VM
from bulkhead.bench.scaling import scaling
from bulkhead.bench.sizes import sizes
from bulkhead.bench.stretch import stretch
from bulkhead.errors import UserError

PEERS = ("kvm", "xen")
Peer = Callable[[str, str | None, Path], dict[str, Figure]]


def measure(names: Sequence[str], cpu: str | None, peers: Sequence[str], scratch: Path) -> Results:
    """Measures `names` (of `operations.chosen`) and the peers; `scratch` is a folder for images."""
    measure_peer = _peer_measurer(peers)
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
            else:
                results.operations[name] = bench.operation(name)
        for peer in peers:
            status.update(f"measuring {peer}")
            results.peers[peer] = measure_peer(peer, cpu, scratch)
    return results


def _peer_measurer(peers: Sequence[str]) -> Peer:
    for peer in peers:
        if peer not in PEERS:
            hint = f"it is one of {', '.join(PEERS)}"
            raise UserError(f"--peer {peer}: there is no such peer", code="bench-peer", hint=hint)
    if importlib.util.find_spec("bulkhead.bench.peers") is None:
        if peers:
            raise UserError("this checkout measures no peers", code="bench-peer")
        return lambda peer, cpu, scratch: {}
    return cast(Peer, importlib.import_module("bulkhead.bench.peers").measure)
