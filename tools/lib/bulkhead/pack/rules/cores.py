# SPDX-License-Identifier: MIT
"""Rules of place and time: cores, budgets, and a server wherever a client runs."""

from __future__ import annotations

from collections.abc import Iterator

from bulkhead.errors import UserError
from bulkhead.pack.description import Native, System, Vm
from bulkhead.pack.rules.graph import call_edges, trap_edges


def check(system: System) -> Iterator[UserError]:
    """Cores exist; a budget has a period and fits it."""
    source, most = system.source, system.board.cores
    if system.cores > most:
        message = f"{system.cores} cores, but the board '{system.board.name}' has {most}"
        yield source.error("E015", message, ("system", "cores"))
    for partition in system.partitions:
        for index, core in enumerate(partition.schedule.cores):
            if core >= system.cores:
                message = f"'{partition.name}' is to run on core {core}, but the system has "
                message += f"cores 0 to {system.cores - 1}" if system.cores > 1 else "only core 0"
                path = (*partition.path, "cores", index)
                hint = "raise `cores` in [system], or choose another core"
                yield source.error("E015", message, path, hint)
        yield from _budget(system, partition)
    yield from _pmus(system)


def _pmus(system: System) -> Iterator[UserError]:
    """A core's PMU is switched between VMs, or everybody's."""
    for vm in (vm for vm in system.vms if vm.pmu == "own"):
        for other in (one for one in system.partitions if one.pmu == "machine"):
            shared = sorted(set(vm.schedule.cores) & set(other.schedule.cores))
            if shared:
                message = f"'{vm.name}' has a PMU of its own on core {shared[0]}, whose PMU is open"
                place = system.source.place((*other.path, "pmu"), f"by '{other.name}'")
                hint = 'move one of them, or say `pmu = "machine"` in both'
                yield system.source.error("E024", message, (*vm.path, "pmu"), hint, place)


def _budget(system: System, partition: Native | Vm) -> Iterator[UserError]:
    budget, period = partition.schedule.budget_us, partition.schedule.period_us
    name, path = partition.name, partition.path
    if budget and not period:
        message = f"'{name}' has a budget_us without a period_us"
        yield system.source.error("E018", message, (*path, "budget_us"))
    elif period and not budget:
        message = f"'{name}' has a period_us without a budget_us"
        yield system.source.error("E018", message, (*path, "period_us"))
    elif budget > period:
        message = f"'{name}' has a budget of {budget} us in a period of {period} us"
        place = system.source.place((*path, "period_us"), "the period")
        hint = "the budget is the part of the period that it may use"
        yield system.source.error("E018", message, (*path, "budget_us"), hint, place)


def check_services(system: System) -> Iterator[UserError]:
    """A call never leaves its core, so a server needs a vCPU on every core where a client runs."""
    for edge in (*trap_edges(system), *call_edges(system)):
        client = system.native(edge.client) or system.vm(edge.client)
        server = system.native(edge.server)
        assert client is not None and server is not None
        missing = sorted(set(client.schedule.cores) - set(server.schedule.cores))
        if missing:
            cores = ", ".join(map(str, missing))
            message = (
                f"'{edge.client}' runs on core {cores}, where its service '{edge.server}' "
                f"has no vCPU ({edge.why})"
            )
            places = [
                system.source.place((*one.path, "cores"), f"the cores of '{one.name}'")
                for one in (client, server)
            ]
            hint = f"add {cores} to `cores` of '{edge.server}', or move '{edge.client}'"
            yield system.source.error("E012", message, edge.path, hint, *places)
