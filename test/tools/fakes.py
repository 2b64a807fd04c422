# SPDX-License-Identifier: MIT
"""Tiny bare-metal programs in the place of a packed system: they print given bytes on the PL011, then do one thing."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bulkhead.qemu import Bare

CC = "aarch64-linux-gnu-gcc"

# After the blob: `off` powers off, `spin` stays, `echo` sends each byte it gets as a frame of stream 2.
_PROGRAM = """
    .globl _start
_start:
    ldr x1, =0x09000000
    adr x2, blob
    adr x3, blob_end
1:  cmp x2, x3
    b.eq {then}
    ldrb w0, [x2], #1
    bl put
    b 1b
put:
    ldr w4, [x1, #0x18]
    tbnz w4, #5, put
    str w0, [x1]
    ret
off:
    ldr x0, =0x84000008
    hvc #0
spin:
    wfi
    b spin
echo:
    ldr w4, [x1, #0x18]
    tbnz w4, #4, echo
    ldr w5, [x1]
    mov w0, #0x1e
    bl put
    mov w0, #2
    bl put
    mov w0, #1
    bl put
    mov w0, w5
    bl put
    b echo
blob:
    .incbin "{blob}"
blob_end:
"""


def fake_image(folder: Path, blob: bytes, then: str = "off") -> Bare:
    """Assembles the program into `folder`."""
    (folder / "blob.bin").write_bytes(blob)
    source = folder / "fake.S"
    source.write_text(_PROGRAM.format(blob=folder / "blob.bin", then=then))
    image = folder / "fake.elf"
    subprocess.run(
        [CC, "-nostdlib", "-static", "-Wl,-Ttext=0x40080000", "-o", str(image), str(source)],
        check=True,
    )
    return Bare(image)
