# SPDX-License-Identifier: MIT
"""Wires every partition's output and input to the console service."""

from __future__ import annotations

from dataclasses import dataclass, field

from bulkhead.pack.description import Native
from bulkhead.pack.plan import Extent, Memory, Partition, Plan
from bulkhead.pack.wire_partitions import share

LOG_RING = 8 << 10
VM_RING = 32 << 10
INPUT_RING = 4 << 10
UART_SIGNAL = 63


@dataclass(slots=True)
class Consoles:
    """The console side while it is wired: which bits of its notification each partition may signal."""

    console: Partition
    bits: dict[str, int] = field(default_factory=dict)
    inputs: dict[str, int] = field(default_factory=dict)


def ring(plan: Plan, name: str, size: int) -> Memory:
    """A ring's memory."""
    return plan.memory(plan.extent(Extent(name, "ring", size)))


def wire_console(plan: Plan) -> Consoles | None:
    """A stream per native partition; VMs follow with their UART."""
    console = plan.role("console")
    if console is None:
        return None
    assert console.native is not None and console.notification is not None
    wires = Consoles(console)
    console.signal("pl011", UART_SIGNAL)
    for partition in plan.natives():
        assert partition.native is not None
        root = ring(plan, f"{partition.name}.log", LOG_RING)
        ipa = share(plan, partition, root, "rw")
        partition.entries.region("log", ipa, root.size)
        bit = add_stream(plan, wires, partition, partition.name, root)
        partition.entries.number("log.signal", bit)
        if partition.native.input:
            keys = ring(plan, f"{partition.name}.input", INPUT_RING)
            partition.entries.region("input", share(plan, partition, keys, "rw"), keys.size)
            signal = partition.signal("input")
            partition.entries.number("input.signal", signal)
            add_input(plan, wires, bit, partition, keys, signal)
    return wires


def add_stream(plan: Plan, wires: Consoles, producer: Partition, name: str, root: Memory) -> int:
    """A stream that `producer` writes; its number, which is also its signal's bit."""
    plan.streams.append(name)
    bit = wires.console.signal(f"stream {name}", len(plan.streams))
    entries = wires.console.entries
    entries.string(f"stream.{bit}.name", name)
    entries.region(f"stream.{bit}.out", share(plan, wires.console, root, "rw"), root.size)
    wires.bits[producer.name] = wires.bits.get(producer.name, 0) | 1 << bit
    return bit


def add_input(
    plan: Plan, wires: Consoles, stream: int, consumer: Partition, root: Memory, signal: int
) -> None:
    """Keyboard input of a stream: into `root`, announced to `consumer` by one of its signals."""
    entries = wires.console.entries
    entries.region(f"stream.{stream}.in", share(plan, wires.console, root, "rw"), root.size)
    entries.number(f"stream.{stream}.in.signal", signal)
    wires.inputs[f"{consumer.name} {stream}"] = stream
    assert consumer.notification is not None
    plan.handle(
        wires.console,
        f"stream.{stream}.in.notify",
        consumer.notification,
        ("signal",),
        badge=1 << signal,
    )


def finish_console(plan: Plan, wires: Consoles) -> None:
    """The capabilities to signal the console, and the console's own properties, once all streams are known."""
    console = wires.console
    assert console.native is not None and console.notification is not None
    for name, bits in wires.bits.items():
        plan.handle(
            plan.partitions[name], "console.notify", console.notification, ("signal",), badge=bits
        )
    entries = console.entries
    entries.number("streams", len(plan.streams))
    entries.string("format", console.native.format)
    entries.number("focus", _focus(plan, console.native))
    lifecycle = plan.role("lifecycle")
    entries.number("prompt", plan.streams.index(lifecycle.name) + 1 if lifecycle else 0)


def _focus(plan: Plan, native: Native) -> int:
    """The description's choice, the first VM with a stream, the prompt, or nobody."""
    lifecycle = plan.role("lifecycle")
    names = [native.focus, *plan.system.vm_streams(), lifecycle.name if lifecycle else ""]
    return next((plan.streams.index(name) + 1 for name in names if name in plan.streams), 0)
