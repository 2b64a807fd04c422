// SPDX-License-Identifier: MIT
// The exception vectors of EL2. From a partition: SP_EL2 points to the running vCPU's context; the C++ handlers run on the core's
// stack (TPIDR_EL2) and return the vCPU to enter. From EL2 itself: a panic.
#include "offsets.h"

.macro save_all_but_x0_x1
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x19, [sp, #144]
    stp x20, x21, [sp, #160]
    stp x22, x23, [sp, #176]
    stp x24, x25, [sp, #192]
    stp x26, x27, [sp, #208]
    stp x28, x29, [sp, #224]
    str x30, [sp, #240]
.endm

.macro vector target
.balign 128
    b \target
.endm

.macro vector_from_partition target
.balign 128
    stp x0, x1, [sp]
    b \target
.endm

.section .text.vectors, "ax"
.balign 2048
.global vectors
vectors:
.rept 8                             // from EL2: never on purpose
    vector own_exception
.endr
.rept 2                             // AArch64, then AArch32 EL0
    .balign 128
    stp x0, x1, [sp]
    mrs x0, esr_el2
    lsr x1, x0, #26
    cmp x1, #0x16                   // HVC
    b.ne sync
    b from_hvc
    vector_from_partition irq
    vector_from_partition irq       // FIQ: physical group 0 is not ours; treated alike
    vector_from_partition serror
.endr

from_hvc:
    ldrb w1, [sp, #VCPU_NATIVE]
    cbz w1, sync
    and w1, w0, #0xffff
    cmp w1, #2                      // reply_recv: nothing of the server is saved
    b.ne sync
    ldp x0, x1, [sp]
    mrs x8, tpidr_el2
    mov sp, x8
    bl reply_recv
    b enter

sync:
    save_all_but_x0_x1
    mov x0, sp
    mrs x1, tpidr_el2
    mov sp, x1
    bl handle_sync
// x0: the vCPU whose registers are to be loaded. Everything else of it is in the hardware.
.global enter
enter:
    mov sp, x0
    ldp x2, x3, [sp, #16]
    ldp x4, x5, [sp, #32]
    ldp x6, x7, [sp, #48]
    ldp x8, x9, [sp, #64]
    ldp x10, x11, [sp, #80]
    ldp x12, x13, [sp, #96]
    ldp x14, x15, [sp, #112]
    ldp x16, x17, [sp, #128]
    ldp x18, x19, [sp, #144]
    ldp x20, x21, [sp, #160]
    ldp x22, x23, [sp, #176]
    ldp x24, x25, [sp, #192]
    ldp x26, x27, [sp, #208]
    ldp x28, x29, [sp, #224]
    ldr x30, [sp, #240]
    ldp x0, x1, [sp]
    eret
    dsb nsh                         // no speculation past the eret
    isb

irq:
    save_all_but_x0_x1
    mov x0, sp
    mrs x1, tpidr_el2
    mov sp, x1
    bl handle_irq
    b enter

serror:
    save_all_but_x0_x1
    mov x0, sp
    mrs x1, tpidr_el2
    mov sp, x1
    bl handle_serror
    b enter

// An exception at EL2: a fault of the core itself. The stack may be what is broken: the panic has its own.
own_exception:
    msr tpidr_el1, x0
    msr tpidr_el0, x1
    adrp x0, panic_frame
    add x0, x0, :lo12:panic_frame
    stp x2, x3, [x0, #16]
    stp x4, x5, [x0, #32]
    stp x6, x7, [x0, #48]
    stp x8, x9, [x0, #64]
    stp x10, x11, [x0, #80]
    stp x12, x13, [x0, #96]
    stp x14, x15, [x0, #112]
    stp x16, x17, [x0, #128]
    stp x18, x19, [x0, #144]
    stp x20, x21, [x0, #160]
    stp x22, x23, [x0, #176]
    stp x24, x25, [x0, #192]
    stp x26, x27, [x0, #208]
    stp x28, x29, [x0, #224]
    mov x1, sp
    stp x30, x1, [x0, #240]
    mrs x1, tpidr_el1
    mrs x2, tpidr_el0
    stp x1, x2, [x0]
    mrs x1, elr_el2
    mrs x2, spsr_el2
    stp x1, x2, [x0, #256]
    adrp x1, panic_stack_top
    add x1, x1, :lo12:panic_stack_top
    mov sp, x1
    b panic_exception

// panic(violated, file, line): keeps the registers as they are at the call.
.global _ZN8bulkhead5panicEPKcS1_j
_ZN8bulkhead5panicEPKcS1_j:
    msr tpidr_el1, x3
    adrp x3, panic_frame
    add x3, x3, :lo12:panic_frame
    stp x18, x19, [x3, #144]
    stp x20, x21, [x3, #160]
    stp x22, x23, [x3, #176]
    stp x24, x25, [x3, #192]
    stp x26, x27, [x3, #208]
    stp x28, x29, [x3, #224]
    mov x4, sp
    stp x30, x4, [x3, #240]
    sub x4, x30, #4                 // the call itself: behind it another function may begin
    stp x4, xzr, [x3, #256]
    b panic_assertion

// The vCPU FP/SIMD registers: x0 points to FpState.
.global _ZN8bulkhead2hw7save_fpERNS_7FpStateE
.global _ZN8bulkhead2hw7load_fpERKNS_7FpStateE
.macro fp_registers op
    \op q0, q1, [x0]
    \op q2, q3, [x0, #32]
    \op q4, q5, [x0, #64]
    \op q6, q7, [x0, #96]
    \op q8, q9, [x0, #128]
    \op q10, q11, [x0, #160]
    \op q12, q13, [x0, #192]
    \op q14, q15, [x0, #224]
    \op q16, q17, [x0, #256]
    \op q18, q19, [x0, #288]
    \op q20, q21, [x0, #320]
    \op q22, q23, [x0, #352]
    \op q24, q25, [x0, #384]
    \op q26, q27, [x0, #416]
    \op q28, q29, [x0, #448]
    \op q30, q31, [x0, #480]
.endm
.arch_extension fp
.arch_extension simd
_ZN8bulkhead2hw7save_fpERNS_7FpStateE:
    fp_registers stp
    mrs x1, fpcr
    mrs x2, fpsr
    add x0, x0, #512
    stp x1, x2, [x0]
    ret
_ZN8bulkhead2hw7load_fpERKNS_7FpStateE:
    fp_registers ldp
    add x0, x0, #512
    ldp x1, x2, [x0]
    msr fpcr, x1
    msr fpsr, x2
    ret
