// SPDX-License-Identifier: MIT
// A bare-metal guest of a few instructions, copied into a VM made at run time: position-independent, vectors at 0x800 of it.
.section .rodata.guest, "a"
.balign 4096
.global guest_image
guest_image:                            // x0: a device page, x1: where the image lies
    add x2, x1, #0x800
    msr vbar_el1, x2
    isb
    mov x19, x0
    mov x3, #0x1234
    str x3, [x19, #0x10]                // a write of eight bytes
    ldrsb w4, [x19, #0x21]              // a read of one, signed: 0x80 comes as 0xffffff80
    str x4, [x19, #0x30]
    mov x0, #0x77
    mov x1, #0x78
    hvc #0                              // SMCCC: answered by the service
    stp x0, x1, [sp, #-16]!
    ldr x0, [sp], #16
    str x0, [x19, #0x40]
    wfi                                 // a message, answered at once
    mrs x5, cntp_cval_el0               // a trapped register
    str x5, [x19, #0x50]
    hvc #5                              // undefined here
    str x6, [x19, #0x60]                // ESR_EL1 of it
    hvc #0xffff
    str x6, [x19, #0x60]
    mov x7, #1
    str x7, [x19, #0x70]                // the end
1:  wfi
    b 1b
.balign 0x800
.rept 4                                 // current EL with SP0
    b .
    .balign 128
.endr
    mrs x6, esr_el1                     // current EL with SPx: an undefined instruction is skipped
    mrs x7, elr_el1
    str x7, [x19, #0x68]
    add x7, x7, #4
    msr elr_el1, x7
    eret
    .balign 128
.rept 11
    b .
    .balign 128
.endr
.global guest_image_end
guest_image_end:
