// SPDX-License-Identifier: MIT
// Owns the way from the loader (arm64 boot protocol) or PSCI CPU_ON into C++: EL, caches, MMU, stack.

    .section .head, "ax"
    .global _start
_start:
    b primary_start
    .long 0
    .quad 0                         // text_offset
    .quad image_end - _start        // image_size, bss included
    .quad 0b1010                    // little endian, 4 KiB pages, anywhere in memory
    .quad 0, 0, 0
    .ascii "ARM\x64"
    .long 0

    .text
    .macro address reg, symbol
    adrp \reg, \symbol
    add \reg, \reg, :lo12:\symbol
    .endm

primary_start:
    mrs x20, cntpct_el0             // how long the way here was
    mov x19, x0                     // the device tree
    bl drop_to_el1
    address x0, vectors
    msr vbar_el1, x0
    address x0, primary_stack_top
    mov sp, x0
    address x0, bss_start
    address x1, bss_end
0:  stp xzr, xzr, [x0], #16
    cmp x0, x1
    b.lo 0b
    mov x0, x19
    mov x1, x20
    bl guest_discover               // reads the device tree and builds the tables, caches off
    bl forget_stale_lines
    bl mmu_enable
    bl guest_main
0:  wfi
    b 0b

/// PSCI starts the second CPU here; x0 is its stack's top. No memory is touched before the MMU is on.
    .global secondary_start
secondary_start:
    mov x19, x0
    bl drop_to_el1
    address x0, vectors
    msr vbar_el1, x0
    bl mmu_enable
    mov sp, x19
    bl secondary_main
0:  wfi
    b 0b

/// From EL2 to EL1 with nothing trapped; at EL1 only sets what the rest relies on.
drop_to_el1:
    msr daifset, #0xf
    mrs x1, CurrentEL
    cmp x1, #(2 << 2)
    b.ne 1f
    mov x1, #(1 << 31)              // HCR_EL2.RW
    msr hcr_el2, x1
    mov x1, #3                      // EL1 may use the physical counter and timer
    msr cnthctl_el2, x1
    msr cntvoff_el2, xzr
    mov x1, #0x33ff                 // no FP traps
    msr cptr_el2, x1
    msr hstr_el2, xzr
    msr vttbr_el2, xzr
    mrs x1, midr_el1
    msr vpidr_el2, x1
    mrs x1, mpidr_el1
    msr vmpidr_el2, x1
    mov x1, #0xf                    // ICC_SRE_EL2: system registers, also for EL1
    msr S3_4_C12_C9_5, x1
    isb
    msr S3_4_C12_C11_0, xzr         // ICH_HCR_EL2: no virtual CPU interface
    mov x1, #0x0800
    movk x1, #0x30d0, lsl #16       // SCTLR_EL1: RES1 bits, MMU and caches off
    msr sctlr_el1, x1
    mov x1, #0x3c5                  // EL1h, DAIF masked
    msr spsr_el2, x1
    adr x1, 1f
    msr elr_el2, x1
    eret
1:  msr spsel, #1
    mov x1, #(3 << 20)              // CPACR_EL1: FP allowed (its code is asked for by name only)
    msr cpacr_el1, x1
    isb
    ret

/// What was written with the caches off must not be shadowed by lines loaded earlier.
forget_stale_lines:
    address x0, _start
    address x1, image_end
    mrs x2, ctr_el0
    ubfx x2, x2, #16, #4            // DminLine: log2 of words
    mov x3, #4
    lsl x3, x3, x2
0:  dc ivac, x0
    add x0, x0, x3
    cmp x0, x1
    b.lo 0b
    dsb sy
    ret

/// Turns on stage 1 with caches over the tables that guest_discover built. Touches no memory.
mmu_enable:
    mov x1, #0xff04                 // attribute 0: device nGnRE, 1: normal write-back
    msr mair_el1, x1
    mrs x1, id_aa64mmfr0_el1
    and x1, x1, #0xf
    mov x2, #5
    cmp x1, x2
    csel x1, x1, x2, lo             // TCR_EL1.IPS: at most 48 bits
    lsl x1, x1, #32
    mov x2, #0x3519                 // T0SZ 25, inner shareable, write-back walks
    movk x2, #0x80, lsl #16         // EPD1
    orr x1, x1, x2
    msr tcr_el1, x1
    address x1, mmu_level1
    msr ttbr0_el1, x1
    tlbi vmalle1
    ic iallu
    dsb nsh
    isb
    mov x1, #0x1805
    movk x1, #0x30d0, lsl #16       // M, C, I
    msr sctlr_el1, x1
    isb
    ret

    .bss
    .balign 4096
    .skip 16384
primary_stack_top:
    .skip 16384
    .global secondary_stack_top
secondary_stack_top:
