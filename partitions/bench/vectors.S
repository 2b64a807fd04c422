// SPDX-License-Identifier: MIT
// Owns the vectors of the measurements: an interrupt's first instruction takes the time, and nothing is saved.

    .macro table name, counter
    .balign 0x800
    .global \name
\name:
    .irp entry, 0, 1, 2, 3, 4
    b exception_of_the_measurement
    .balign 0x80
    .endr
    mrs x16, \counter               // 5: IRQ, this EL. x15 to x17 belong to the loop that waits
    mov x15, #1
    mrs x17, spsr_el1
    orr x17, x17, #(1 << 7)         // back with IRQ masked
    msr spsr_el1, x17
    eret
    .balign 0x80
    .irp entry, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    b exception_of_the_measurement
    .balign 0x80
    .endr
    .endm

    .text
    table deadline_vectors_pmu, pmevcntr0_el0
    table deadline_vectors_counter, cntvct_el0

/// The receiver of SGIs: acknowledges, ends, counts. x15 is its count.
    .balign 0x800
    .global sgi_vectors
sgi_vectors:
    .irp entry, 0, 1, 2, 3, 4
    b exception_of_the_measurement
    .balign 0x80
    .endr
    mrs x16, S3_0_C12_C12_0         // ICC_IAR1_EL1
    add x15, x15, #1
    msr S3_0_C12_C12_1, x16         // ICC_EOIR1_EL1
    eret
    .balign 0x80
    .irp entry, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    b exception_of_the_measurement
    .balign 0x80
    .endr

/// Nothing else may come in a measurement: the guest's own vectors say what it was.
exception_of_the_measurement:
    adrp x16, vectors
    add x16, x16, :lo12:vectors
    msr vbar_el1, x16
    isb
    add x16, x16, #0x200            // synchronous, this EL
    br x16
