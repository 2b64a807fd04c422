# SPDX-License-Identifier: MIT
"""What is measured: each operation with its bar, where it is measured, and what others need for the same."""

from __future__ import annotations

from dataclasses import dataclass

from bulkhead.bench_linux import BARS, BOOT, CONSOLE, PL011
from bulkhead.errors import UserError
from bulkhead.paths import SYSTEMS

VM = SYSTEMS / "bench" / "system.toml"
SGI = SYSTEMS / "bench" / "sgi.toml"
SWITCH = SYSTEMS / "bench" / "switch.toml"
NATIVE = SYSTEMS / "bench-native" / "system.toml"
DEMO = SYSTEMS / "demo" / "system.toml"


@dataclass(frozen=True, slots=True)
class Operation:
    """`name` is what the guest's line says; `group` can be given to --only, too; `bar` is what the mean must not exceed.

    `then` is the bar after that one. `above_native`: the same guest's count on the bare machine is subtracted.
    `most`: the bar is on the maximum.
    """

    name: str
    title: str
    group: str
    bar: float | None
    then: float | None = None
    unit: str = "instructions"
    others: str = ""
    above_native: bool = False
    most: bool = False


_WORKLOADS = {
    BOOT: "boot to the shell",
    "syscalls": "50,000 null system calls",
    "sleeps": "300 sleeps of 1 ms",
    "forks": "1,000 fork and exec",
    "faults": "page faults",
    "pipes": "pipe ping-pong",
    CONSOLE: "6 KB to the console (VirtIO)",
    PL011: "6 KB to the emulated PL011",
}

OPERATIONS = (
    Operation(
        "uart.read",
        "guest reads a UART register",
        "exits",
        320,
        280,
        others="KVM to user space 6,253 · seL4 1,468 · NOVA 1,088 · Xen, in the hypervisor, about 720",
    ),
    Operation("uart.write", "guest writes a UART register", "exits", 320, 280, others="seL4 968"),
    Operation("uart.setup", "guest sets the UART's divisor", "exits", None),
    Operation(
        "hvc",
        "guest's HVC to a service",
        "exits",
        260,
        others="KVM, in the host, 1,498 · NOVA 711 · seL4 541",
    ),
    Operation("sysreg.read", "trapped system register", "exits", 280),
    Operation(
        "ipc",
        "IPC round trip, six words",
        "native",
        150,
        others="NOVA about 400 · seL4 495 at four words, 1,472 at eight",
    ),
    Operation(
        "refused",
        "hypercall refused: bad handle",
        "native",
        60,
        others="seL4 289 · NOVA 137",
    ),
    Operation(
        "signals",
        "signal, wake, signal, wake",
        "native",
        300,
        others="seL4 1,449 · NOVA 358 for its half",
    ),
    Operation("signals.apart", "the same by two hypercalls each", "native", None),
    Operation(
        "timer.deadline",
        "CNTV deadline to the vector",
        "timer",
        200,
        others="KVM 5,800 · seL4 1,648 · NOVA 864 · Bao 192",
    ),
    Operation("timer.end", "the end of that interrupt", "timer", 16),
    Operation(
        "sleep",
        "WFI for 1 ms, above native",
        "sleep",
        900,
        others="Xen about 9,400 · seL4's WFI exit alone 2,041",
        above_native=True,
    ),
    Operation("sgi", "SGI to a busy vCPU, both sides", "sgi", 900, others="KVM 5,646"),
    Operation("switch", "switch between two VMs", "switch", 350, others="seL4 about 860"),
    Operation(
        "boot",
        "reset to the demo's first guest",
        "boot",
        600_000,
        300_000,
        others="Bao 341,000 · seL4's root task 2.6 million · Xen 50 million",
    ),
    Operation("stretch", "EL2 without a look at ISR_EL1", "stretch", 2_000, most=True),
    Operation(
        "linux.byte",
        "a byte by Linux to its UART, above native",
        "linux",
        680,
        350,
        others="Xen about 1,480",
    ),
    *(
        Operation(
            f"linux.{name}", f"Linux: {title}, VM to native", "linux", BARS[name], unit="ratio"
        )
        for name, title in _WORKLOADS.items()
    ),
)

BY_NAME = {operation.name: operation for operation in OPERATIONS}
SECTIONS = ("scaling", "sizes")  # more than one figure each


def chosen(only: tuple[str, ...]) -> list[str]:
    """The operations and sections that --only names, all if it names none, in the order of the table."""
    known = {operation.group for operation in OPERATIONS} | set(BY_NAME) | set(SECTIONS)
    for name in only:
        if name not in known:
            hint = "it is one of " + ", ".join(sorted(known))
            raise UserError(
                f"--only {name}: there is no such operation", code="bench-only", hint=hint
            )
    names = [one.name for one in OPERATIONS if not only or {one.name, one.group} & set(only)]
    return names + [name for name in SECTIONS if not only or name in only]
