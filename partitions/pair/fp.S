// SPDX-License-Identifier: MIT
// Owns the only code of this guest that touches FP registers: holding a pattern, and disturbing it.

    .text
    .macro all_v op, base
    \op q0, q1, [\base]
    \op q2, q3, [\base, #32]
    \op q4, q5, [\base, #64]
    \op q6, q7, [\base, #96]
    \op q8, q9, [\base, #128]
    \op q10, q11, [\base, #160]
    \op q12, q13, [\base, #192]
    \op q14, q15, [\base, #224]
    \op q16, q17, [\base, #256]
    \op q18, q19, [\base, #288]
    \op q20, q21, [\base, #320]
    \op q22, q23, [\base, #352]
    \op q24, q25, [\base, #384]
    \op q26, q27, [\base, #416]
    \op q28, q29, [\base, #448]
    \op q30, q31, [\base, #480]
    .endm

/// fp_hold(load, store, end, asleep): see fp.cpp. No other C++ code uses FP, so nothing is saved.
    .global fp_hold
fp_hold:
    all_v ldp, x0
    ldr x4, [x0, #512]
    ldr x5, [x0, #520]
    msr fpcr, x4
    msr fpsr, x5
0:  cbz w3, 1f
    wfi                             // the tick wakes it
    b 3f
1:  mov w4, #2000
2:  subs w4, w4, #1
    b.ne 2b
3:  isb
    mrs x4, cntvct_el0
    cmp x4, x2
    b.lo 0b
    all_v stp, x1
    mrs x4, fpcr
    mrs x5, fpsr
    str x4, [x1, #512]
    str x5, [x1, #520]
    msr fpcr, xzr
    ret

/// Called from the interrupt handler: uses every FP register and puts them back.
    .global fp_disturb
fp_disturb:
    sub sp, sp, #528
    all_v stp, sp
    mrs x0, fpcr
    mrs x1, fpsr
    str x0, [sp, #512]
    str x1, [sp, #520]
    msr fpcr, xzr
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    movi v\n\().16b, #0x5a
    .endr
    .irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    movi v\n\().16b, #0xa5
    .endr
    fdiv d0, d1, d2                 // sets a cumulative flag
    ldr x0, [sp, #512]
    ldr x1, [sp, #520]
    all_v ldp, sp
    msr fpcr, x0
    msr fpsr, x1
    add sp, sp, #528
    ret
