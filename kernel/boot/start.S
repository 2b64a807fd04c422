// SPDX-License-Identifier: MIT
// The first instructions: the arm64 Image header, what is checked before any C++ runs, and the secondary cores' entry.
#define TEXT_OFFSET 0x200000
#define END "\r\nmachine: off reason=error\r\n"
#define PL011 0x09000000 /* boards/qemu-virt; only for the messages below */

#include "entry/offsets.h"

.section .text.image, "ax"
.global image_start_header
image_start_header:
    b start
    .word 0
    .quad TEXT_OFFSET
    .quad 0                         // the packer writes the image's size here
    .quad 2                         // little-endian, 4 KiB pages, as near to the start of RAM as text_offset says
    .quad 0, 0, 0
    .ascii "ARM\x64"
    .word 0

start:
    mrs x1, CurrentEL
    cmp x1, #8
    adr x2, message_el1
    b.ne refuse
    adr x1, image_start_header
    ldr x3, =image_start
    cmp x1, x3
    adr x2, message_address
    b.ne refuse
    mov x1, #0
    bl prepare
    b boot_main                     // x0: device tree of the machine

// x2: what is wrong. At EL1 or where the image cannot run: say so and power off (the firmware's conduit: hvc at EL1, smc at EL2).
refuse:
    mov x1, #PL011
1:  ldrb w3, [x2], #1
    cbz w3, 2f
    str w3, [x1]
    b 1b
2:  mov x0, #8
    movk x0, #0x8400, lsl #16       // PSCI SYSTEM_OFF
    mrs x1, CurrentEL
    cmp x1, #8
    b.eq 3f
    hvc #0
3:  smc #0
4:  wfi
    b 4b

// x0: index of the core, as CPU_ON's context.
.global secondary_start
secondary_start:
    mov x1, x0
    bl prepare
    b secondary_main                // x0: index

// x1: index of the core. Sets its stack (struct Core at the top), vectors, and masks everything.
prepare:
    msr daifset, #15
    msr spsel, #1
    adr x2, core_areas + CORE_OFFSET
    mov x3, #CORE_AREA_BYTES
    madd x2, x1, x3, x2
    mov sp, x2
    msr tpidr_el2, x2
    adr x2, vectors
    msr vbar_el2, x2
    isb
    ret

message_el1:
    .asciz "core: error: started at EL1, Bulkhead needs EL2: start QEMU with -M virt,virtualization=on,gic-version=3" END
message_address:
    .asciz "core: error: loaded at the wrong address: a loader must honour the Image header's text_offset (0x40200000 on this board)" END
.balign 4
