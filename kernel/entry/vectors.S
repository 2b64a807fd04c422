// SPDX-License-Identifier: MIT
// The exception vectors of EL2. From a partition: SP_EL2 points to the running vCPU's context; the C++ handlers run on the core's
// stack (TPIDR_EL2) and return the vCPU to enter. From EL2 itself: a panic.
#include "offsets.h"

.altmacro
.macro pair op, kind, first, second, base, bytes
    \op \kind\()\first, \kind\()\second, [\base, #\first * \bytes]
.endm

// Stores or loads registers in pairs, from number \from to \to, each at its number times \bytes from \base.
.macro registers op, kind, bytes, base, from, to
    pair \op, \kind, \from, %(\from + 1), \base, \bytes
.if \from + 1 < \to
    registers \op, \kind, \bytes, \base, %(\from + 2), \to
.endif
.endm

// x0 and x1 are saved: saves the others, and calls \handler on the core's stack.
.macro call_handler handler
    registers stp, x, 8, sp, 2, 29
    str x30, [sp, #240]
    mov x1, sp
    mrs x0, tpidr_el2
    mov sp, x0
    bl \handler
.endm

// Fits into its vector.
.macro vector_from_partition handler
.balign 128
    stp x0, x1, [sp]
    call_handler \handler
    b enter
.endm

.section .text.vectors, "ax"
.balign 2048
.global vectors
vectors:
.rept 8                             // from EL2: never on purpose
    .balign 128
    b own_exception
.endr
.rept 2                             // AArch64, then AArch32 EL0
    .balign 128
    stp x0, x1, [sp]
    mrs x0, esr_el2
    tbz w0, #27, sync               // a data abort, an MSR
    ldr w1, [sp, #VCPU_HYPERCALL]   // HVC from AArch64, if it is native; else nothing near it
    sub w1, w0, w1
    cmp w1, #2                      // reply_recv
    b.ne hypercall
    ldp x0, x1, [sp]                // nothing of a server is saved
    mrs x8, tpidr_el2
    mov sp, x8
    bl reply_recv
    b enter
    vector_from_partition handle_irq
    vector_from_partition handle_irq // FIQ: physical group 0 is not ours; treated alike
    vector_from_partition handle_serror
.endr
.balign 128

// What x0 names is looked up, as Partition::find does. x10: its slot, w13: its type; x11: the capability, x12: object and rights.
.macro look_up
    ldr x0, [sp]
    ldr x10, [sp, #VCPU_PARTITION]
    ldr w11, [x10, #PARTITION_SLOTS]
    cmp x0, x11
    b.hs bad_handle
    ldr x11, [x10, #PARTITION_TABLE]
    add x11, x11, x0, lsl #4
    ldr x12, [x11]
    adrp x10, _ZN8bulkhead7objectsE
    ldr x10, [x10, :lo12:_ZN8bulkhead7objectsE]
    and x13, x12, #0x7fff
    add x10, x10, x13, lsl #SLOT_SHIFT
    ldar w13, [x10]
    ubfx w14, w12, #15, #15
    cmp w13, w14
    b.ne bad_handle
    ldrb w13, [x10, #SLOT_TYPE]
.endm

// Of a native partition. x0 and x1 are saved; w1: the number, if it is a hypercall, compared with 2.
hypercall:
    b.lo call_or_none
    cmp w1, #HYPERCALLS
    b.hs last_or_none
checked:                            // by its gate (hypercall/gate.hpp)
    registers stp, x, 8, sp, 9, 30
    adr x9, hypercall_gates
    ldr x9, [x9, x1, lsl #3]
    tst w9, #0xff
    b.eq no_target
    look_up
    cmp w13, w9, uxtb
    b.ne bad_type
    lsr x9, x9, #32
    bics xzr, x9, x12, lsr #32
    b.ne no_right
    b by_table

call_or_none:
    cbz w1, checked
    registers stp, x, 8, sp, 9, 30
    ldp x0, x1, [sp]
    mrs x8, tpidr_el2
    mov sp, x8
    bl call
    b enter

last_or_none:
    b.hi sync
    look_up                         // nothing of a server is saved
    cmp w13, #TYPE_NOTIFICATION
    b.ne bad_type
    tbz x12, #33, no_right
    ldr x1, [x11, #8]
    mov x0, x10
    mrs x8, tpidr_el2
    mov sp, x8
    bl signal_recv
    b enter

no_target:
    mov x10, #0
    mov x11, #0
by_table:
    registers stp, x, 8, sp, 2, 7
    str x8, [sp, #64]
    mov w2, w1
    mov x3, x10
    mov x4, x11
    mov x1, sp
    mrs x0, tpidr_el2
    mov sp, x0
    bl handle_hypercall
    b enter

bad_handle:
    mov x0, #1
    b refused
bad_type:
    mov x0, #2
    b refused
no_right:
    mov x0, #3
refused:
    ldr x1, [sp, #8]
    registers ldp, x, 8, sp, 9, 18
    eret
    dsb nsh
    isb

sync:
    call_handler handle_sync
// x0: the vCPU whose registers are to be loaded. Everything else of it is in the hardware.
.global enter
.global enter_at_sp
enter:
    mov sp, x0
enter_at_sp:
    registers ldp, x, 8, sp, 0, 7
    ldr x8, [sp, #64]
// sp: the vCPU; x0..x8 are loaded, too.
.global enter_with_message
enter_with_message:
    registers ldp, x, 8, sp, 9, 30
    eret
    dsb nsh                         // no speculation past the eret
    isb

// An exception at EL2: a fault of the core itself. The stack may be what is broken: the panic has its own.
own_exception:
    msr tpidr_el1, x0
    msr tpidr_el0, x1
    adrp x0, panic_frame
    add x0, x0, :lo12:panic_frame
    registers stp, x, 8, x0, 2, 29
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
    registers stp, x, 8, x3, 18, 29
    mov x4, sp
    stp x30, x4, [x3, #240]
    sub x4, x30, #4                 // the call itself: behind it another function may begin
    stp x4, xzr, [x3, #256]
    b panic_assertion

// The arguments are where SMCCC has them, and so is the result.
.global _ZN8bulkhead2hw3smcEmmmm
_ZN8bulkhead2hw3smcEmmmm:
    smc #0
    ret

// The vCPU FP/SIMD registers: x0 points to FpState.
.global _ZN8bulkhead2hw7save_fpERNS_7FpStateE
.global _ZN8bulkhead2hw7load_fpERKNS_7FpStateE
.arch_extension fp
.arch_extension simd
_ZN8bulkhead2hw7save_fpERNS_7FpStateE:
    registers stp, q, 16, x0, 0, 31
    mrs x1, fpcr
    mrs x2, fpsr
    add x0, x0, #512
    stp x1, x2, [x0]
    ret
_ZN8bulkhead2hw7load_fpERKNS_7FpStateE:
    registers ldp, q, 16, x0, 0, 31
    add x0, x0, #512
    ldp x1, x2, [x0]
    msr fpcr, x1
    msr fpsr, x2
    ret
