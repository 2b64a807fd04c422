// SPDX-License-Identifier: MIT
// Owns the vectors of the measurements: an interrupt's first instruction takes the time, and nothing is saved.

/// A table in which nothing but an IRQ at this EL may come; `irq` is what it does.
    .macro table name, irq:vararg
    .balign 0x800
    .global \name
\name:
    .rept 5
    b exception_of_the_measurement
    .balign 0x80
    .endr
    \irq
    eret
    .balign 0x80
    .rept 10
    b exception_of_the_measurement
    .balign 0x80
    .endr
    .endm

/// x15 to x17 belong to the loop that waits.
    .macro take_time counter
    mrs x16, \counter
    mov x15, #1
    mrs x17, spsr_el1
    orr x17, x17, #(1 << 7)         // back with IRQ masked
    msr spsr_el1, x17
    .endm

/// The receiver of SGIs: acknowledges, ends, counts. x15 is its count.
    .macro count_sgi
    mrs x16, S3_0_C12_C12_0         // ICC_IAR1_EL1
    add x15, x15, #1
    msr S3_0_C12_C12_1, x16         // ICC_EOIR1_EL1
    .endm

    .text
    table deadline_vectors_pmu, take_time pmevcntr0_el0
    table deadline_vectors_counter, take_time cntvct_el0
    table sgi_vectors, count_sgi

/// Nothing else may come in a measurement: the guest's own vectors say what it was.
exception_of_the_measurement:
    adrp x16, vectors
    add x16, x16, :lo12:vectors
    msr vbar_el1, x16
    isb
    add x16, x16, #0x200            // synchronous, this EL
    br x16
