# SPDX-License-Identifier: MIT
"""System instructions of A64, from their 32 bits to the text that a reader knows (DDI 0487, C5.1)."""

from __future__ import annotations

_HINTS = {0: "nop", 1: "yield", 2: "wfe", 3: "wfi", 4: "sev", 5: "sevl", 6: "dgh", 7: "xpaclri"}
_HINTS |= {16: "esb", 17: "psb csync", 18: "tsb csync", 20: "csdb", 22: "clrbhb", 25: "paciasp"}
_HINTS |= {29: "autiasp", 32: "bti", 34: "bti c", 36: "bti j", 38: "bti jc"}
_BARRIERS = {2: "clrex", 4: "dsb", 5: "dmb", 6: "isb"}
_RETURNS = {0xD69F03E0: "eret", 0xD69F0BFF: "eretaa", 0xD69F0FFF: "eretab", 0xD6BF03E0: "drps"}
# By op1 and op2, CRm is the value.
_PSTATE = {(0, 3): "uao", (0, 4): "pan", (0, 5): "spsel", (1, 0): "allint", (3, 1): "ssbs"}
_PSTATE |= {(3, 2): "dit", (3, 3): "svcr", (3, 4): "tco", (3, 6): "daifset", (3, 7): "daifclr"}
_FLAGS = {0xD500401F: "cfinv", 0xD500403F: "xaflag", 0xD500405F: "axflag"}


def _table(text: str) -> dict[str, str]:
    entries = (entry.split(None, 1) for entry in text.split("\n") if entry.strip())
    return {encoding: name.strip() for encoding, name in entries}


# What is not here is shown by its encoding, S<op0>_<op1>_<Cn>_<Cm>_<op2>, as the assembler writes it.
OPERATIONS = _table(
    """
    s1_0_c7_c1_0    ic ialluis
    s1_0_c7_c5_0    ic iallu
    s1_3_c7_c5_1    ic ivau
    s1_0_c7_c6_1    dc ivac
    s1_0_c7_c6_2    dc isw
    s1_0_c7_c10_2   dc csw
    s1_0_c7_c14_2   dc cisw
    s1_3_c7_c4_1    dc zva
    s1_3_c7_c10_1   dc cvac
    s1_3_c7_c11_1   dc cvau
    s1_3_c7_c12_1   dc cvap
    s1_3_c7_c13_1   dc cvadp
    s1_3_c7_c14_1   dc civac
    s1_0_c7_c8_0    at s1e1r
    s1_0_c7_c8_1    at s1e1w
    s1_0_c7_c8_2    at s1e0r
    s1_0_c7_c8_3    at s1e0w
    s1_0_c7_c9_0    at s1e1rp
    s1_0_c7_c9_1    at s1e1wp
    s1_4_c7_c8_4    at s12e1r
    s1_4_c7_c8_5    at s12e1w
    s1_3_c7_c3_4    cfp rctx
    s1_3_c7_c3_5    dvp rctx
    s1_3_c7_c3_7    cpp rctx
    s1_0_c8_c3_0    tlbi vmalle1is
    s1_0_c8_c3_1    tlbi vae1is
    s1_0_c8_c3_2    tlbi aside1is
    s1_0_c8_c3_3    tlbi vaae1is
    s1_0_c8_c7_0    tlbi vmalle1
    s1_0_c8_c7_1    tlbi vae1
    s1_0_c8_c7_2    tlbi aside1
    s1_0_c8_c7_3    tlbi vaae1
    s1_4_c8_c7_0    tlbi alle2
    s1_4_c8_c7_4    tlbi alle1
    """
)
REGISTERS = _table(
    """
    s2_0_c0_c2_2    mdscr_el1
    s2_0_c1_c0_4    oslar_el1
    s3_0_c1_c0_0    sctlr_el1
    s3_0_c1_c0_1    actlr_el1
    s3_0_c1_c0_2    cpacr_el1
    s3_0_c1_c2_0    zcr_el1
    s3_0_c2_c0_0    ttbr0_el1
    s3_0_c2_c0_1    ttbr1_el1
    s3_0_c2_c0_2    tcr_el1
    s3_0_c2_c1_0    apiakeylo_el1
    s3_0_c2_c1_1    apiakeyhi_el1
    s3_0_c4_c0_0    spsr_el1
    s3_0_c4_c0_1    elr_el1
    s3_0_c4_c1_0    sp_el0
    s3_0_c4_c2_0    spsel
    s3_0_c4_c2_2    currentel
    s3_0_c4_c2_3    pan
    s3_0_c4_c2_4    uao
    s3_0_c4_c6_0    icc_pmr_el1
    s3_0_c5_c1_0    afsr0_el1
    s3_0_c5_c1_1    afsr1_el1
    s3_0_c5_c2_0    esr_el1
    s3_0_c6_c0_0    far_el1
    s3_0_c7_c4_0    par_el1
    s3_0_c9_c14_1   pmintenset_el1
    s3_0_c9_c14_2   pmintenclr_el1
    s3_0_c10_c2_0   mair_el1
    s3_0_c10_c3_0   amair_el1
    s3_0_c12_c0_0   vbar_el1
    s3_0_c12_c1_0   isr_el1
    s3_0_c12_c1_1   disr_el1
    s3_0_c12_c11_5  icc_sgi1r_el1
    s3_0_c12_c12_0  icc_iar1_el1
    s3_0_c12_c12_1  icc_eoir1_el1
    s3_0_c12_c12_5  icc_sre_el1
    s3_0_c12_c12_7  icc_igrpen1_el1
    s3_0_c13_c0_1   contextidr_el1
    s3_0_c13_c0_4   tpidr_el1
    s3_0_c13_c0_7   scxtnum_el1
    s3_0_c14_c1_0   cntkctl_el1
    s3_1_c0_c0_0    ccsidr_el1
    s3_1_c0_c0_1    clidr_el1
    s3_1_c0_c0_7    aidr_el1
    s3_2_c0_c0_0    csselr_el1
    s3_3_c0_c0_1    ctr_el0
    s3_3_c0_c0_7    dczid_el0
    s3_3_c2_c4_0    rndr
    s3_3_c2_c4_1    rndrrs
    s3_3_c4_c2_0    nzcv
    s3_3_c4_c2_1    daif
    s3_3_c4_c2_2    svcr
    s3_3_c4_c2_5    dit
    s3_3_c4_c2_6    ssbs
    s3_3_c4_c2_7    tco
    s3_3_c4_c4_0    fpcr
    s3_3_c4_c4_1    fpsr
    s3_3_c9_c12_0   pmcr_el0
    s3_3_c9_c12_1   pmcntenset_el0
    s3_3_c9_c12_2   pmcntenclr_el0
    s3_3_c9_c12_3   pmovsclr_el0
    s3_3_c9_c12_4   pmswinc_el0
    s3_3_c9_c12_5   pmselr_el0
    s3_3_c9_c12_6   pmceid0_el0
    s3_3_c9_c12_7   pmceid1_el0
    s3_3_c9_c13_0   pmccntr_el0
    s3_3_c9_c13_1   pmxevtyper_el0
    s3_3_c9_c13_2   pmxevcntr_el0
    s3_3_c9_c14_0   pmuserenr_el0
    s3_3_c9_c14_3   pmovsset_el0
    s3_3_c13_c0_2   tpidr_el0
    s3_3_c13_c0_3   tpidrro_el0
    s3_3_c13_c0_5   tpidr2_el0
    s3_3_c13_c0_7   scxtnum_el0
    s3_3_c14_c0_0   cntfrq_el0
    s3_3_c14_c0_1   cntpct_el0
    s3_3_c14_c0_2   cntvct_el0
    s3_3_c14_c2_0   cntp_tval_el0
    s3_3_c14_c2_1   cntp_ctl_el0
    s3_3_c14_c2_2   cntp_cval_el0
    s3_3_c14_c3_0   cntv_tval_el0
    s3_3_c14_c3_1   cntv_ctl_el0
    s3_3_c14_c3_2   cntv_cval_el0
    s3_3_c14_c15_7  pmccfiltr_el0
    s3_4_c1_c1_0    hcr_el2
    s3_4_c2_c1_0    vttbr_el2
    s3_4_c12_c0_0   vbar_el2
    """
)
REGISTERS |= {f"s3_3_c14_c{8 + n // 8}_{n % 8}": f"pmevcntr{n}_el0" for n in range(31)}
REGISTERS |= {f"s3_3_c14_c{12 + n // 8}_{n % 8}": f"pmevtyper{n}_el0" for n in range(31)}


def text(word: int) -> str:
    """Of a system instruction or an exception return: `dsb`, `msr tpidr_el0`, `tlbi vmalle1`, `mrs s3_0_c0_c4_2`.

    What is named is that instruction with any register and (of a barrier or an immediate) any option; no text but that of
    an encoding itself (`.inst`) stands for what the architecture does not allocate.
    """
    if word >> 22 != 0xD5000000 >> 22:
        return _RETURNS.get(word, _unknown(word))
    op0, op1, crn, crm, op2 = (
        word >> 19 & 3,
        word >> 16 & 7,
        word >> 12 & 15,
        word >> 8 & 15,
        word >> 5 & 7,
    )
    read = bool(word >> 21 & 1)
    encoding = f"s{op0}_{op1}_c{crn}_c{crm}_{op2}"
    if op0 >= 2:
        return f"{'mrs' if read else 'msr'} {REGISTERS.get(encoding, encoding)}"
    if op0 == 1:
        generic = f"{'sysl' if read else 'sys'} #{op1}, c{crn}, c{crm}, #{op2}"
        return generic if read else OPERATIONS.get(encoding, generic)
    if read or word & 31 != 31:
        return _unknown(word)
    if (op1, crn) == (3, 2):
        return _HINTS.get(crm << 3 | op2, f"hint #{crm << 3 | op2}")
    if (op1, crn) == (3, 3):
        return "sb" if (crm, op2) == (0, 7) else _BARRIERS.get(op2, _unknown(word))
    if crn == 4 and (op1, op2) in _PSTATE:
        return f"msr {_PSTATE[op1, op2]}, #{crm}"
    return _FLAGS.get(word, _unknown(word))


def _unknown(word: int) -> str:
    return f".inst {word:#010x}"
