// SPDX-License-Identifier: MIT
// Owns a guest that needs no service but `uart`: it counts reads of its PL011's flags, and says so. MMU off, no stack.

    .equ rounds, 256
    .equ uart, 0x09000000
    .equ flags, 0x18
    .equ full, 5                    // bit of the flags

    .section .head, "ax"
    .global _start
_start:
    b start
    .long 0
    .quad 0                         // text_offset
    .quad image_end - _start        // image_size
    .quad 0b1010                    // little endian, 4 KiB pages, anywhere in memory
    .quad 0, 0, 0
    .ascii "ARM\x64"
    .long 0

    .text
    .macro count into, operation:vararg
    mov x0, #rounds
    isb
    mrs \into, cntvct_el0
1:  \operation
    subs x0, x0, #1
    b.ne 1b
    isb
    mrs x1, cntvct_el0
    sub \into, x1, \into
    .endm

    .macro say text, number
    adr x10, \text
    mov x11, \number
    bl print
    .endm

start:
    mrs x19, cntpct_el0
    mov x20, #uart
    ldr w2, [x20, #flags]           // the first access finds the device
    count x22, nop
    count x23, ldr w2, [x20, #flags]
    sub x23, x23, x22
    say entered, x19
    say exits, x23
    adr x10, finished
    bl print_text
    b .

/// x10: a text of 0-ended bytes, x11: a number that follows it in hexadecimal, then a new line.
print:
    mov x15, x30
    bl print_text
    mov x12, #60
2:  lsr x13, x11, x12
    and x13, x13, #15
    cmp x13, #10
    add x14, x13, #'0'
    add x13, x13, #('a' - 10)
    csel x13, x14, x13, lo
    bl put
    subs x12, x12, #4
    b.ge 2b
    mov w13, #'\n'
    bl put
    ret x15

print_text:
    mov x16, x30
4:  ldrb w13, [x10], #1
    cbz w13, 3f
    bl put
    b 4b
3:  ret x16

/// w13: a byte.
put:
    ldr w17, [x20, #flags]
    tbnz w17, #full, put
    str w13, [x20]
    ret

entered:
    .asciz "\n[0.000000] bench: hello entered_at=0x"
exits:
    .asciz "[0.000000] bench: op name=uart.read rounds=256 ticks=0x"
finished:
    .asciz "[0.000000] bench: done\n"
