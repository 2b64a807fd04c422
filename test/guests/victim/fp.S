// SPDX-License-Identifier: MIT
// Owns the victim's FP/SIMD registers: fills all of them from a seed, and compares them with it.
    .arch_extension fp
    .arch_extension simd
    .text
/// x0: seed. v<n> = (seed + n, seed + n + 32), FPCR and FPSR likewise.
    .global fill_fp
fill_fp:
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    add x1, x0, #\n
    fmov d\n, x1
    add x1, x1, #32
    mov v\n\().d[1], x1
    .endr
    and x1, x0, #3
    lsl x2, x1, #22                 // RMode
    msr fpcr, x2
    msr fpsr, x1
    ret

/// x0: seed. Returns the OR of all differences.
    .global check_fp
check_fp:
    mov x3, #0
    .irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    add x1, x0, #\n
    fmov x2, d\n
    eor x2, x2, x1
    orr x3, x3, x2
    add x1, x1, #32
    mov x2, v\n\().d[1]
    eor x2, x2, x1
    orr x3, x3, x2
    .endr
    and x1, x0, #3
    mrs x2, fpsr
    eor x2, x2, x1
    orr x3, x3, x2
    mrs x2, fpcr
    eor x2, x2, x1, lsl #22
    orr x0, x3, x2
    ret
