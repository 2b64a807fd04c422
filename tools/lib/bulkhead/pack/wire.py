# SPDX-License-Identifier: MIT
"""From the description and its files to the plan, step by step."""

from __future__ import annotations

from bulkhead.pack.confined import find_confined
from bulkhead.pack.description import System
from bulkhead.pack.layout import Abi
from bulkhead.pack.plan import Plan
from bulkhead.pack.wire_clients import wire_clients
from bulkhead.pack.wire_console import finish_console, wire_console
from bulkhead.pack.wire_grants import wire_grants
from bulkhead.pack.wire_lifecycle import wire_lifecycle
from bulkhead.pack.wire_partitions import Material, finish_environments, make_native, make_vm


def make_plan(system: System, abi: Abi, material: Material) -> Plan:
    """Everything but addresses and bytes. The description has been checked."""
    plan = Plan(system, abi)
    for native in system.natives:
        program = material.programs[native.name]
        material.writables[native.name] = make_native(plan, native, program)
    preload = system.role("lifecycle") is None
    for vm in system.vms:
        material.ram[vm.name] = make_vm(plan, vm, material.guests[vm.name], preload)
    consoles = wire_console(plan)
    clients = wire_clients(plan, consoles, material.ram)
    wire_lifecycle(plan, clients, material)
    if consoles:
        finish_console(plan, consoles)
    wire_grants(plan, material)
    finish_environments(plan)
    find_confined(plan, {name: one.breach for name, one in material.programs.items()})
    return plan
