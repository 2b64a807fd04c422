// SPDX-License-Identifier: MIT
// Stands for a native program in the packer's tests.
    .text
    .global _start
_start:
    hvc #2
    b _start
    .section .rodata
    .quad 0x1122334455667788
    .data
    .quad 42
    .bss
    .skip 10000
