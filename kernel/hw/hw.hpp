// SPDX-License-Identifier: MIT
// The machine, for real: the core's only inline assembly. test/fake/hw.hpp has the same names for host tests; exactly one of the
// two folders is on the include path. No function here hides a barrier: the caller says isb() or dsb() and why.
#pragma once
#include "lib/types.hpp"
#include "regs/el2.hpp"
#include "vcpu/state.hpp"

namespace bulkhead::hw {

template <class R> Value<R> read();
template <class R> void write(Value<R> value);

/// Declares how the register R is accessed: a type of regs/el2.hpp, or, without fields of interest, an incomplete one.
#define SYSTEM_REGISTER(R, name)                                                                                                   \
    template <> inline Value<struct R> read<struct R>() {                                                                          \
        uint64_t bits;                                                                                                             \
        asm volatile("mrs %0, " #name : "=r"(bits));                                                                               \
        return {bits};                                                                                                             \
    }                                                                                                                              \
    template <> inline void write<struct R>(Value<struct R> value) {                                                               \
        asm volatile("msr " #name ", %x0" : : "rZ"(value.bits) : "memory");                                                        \
    }

// clang-format off
SYSTEM_REGISTER(HcrEl2, hcr_el2) SYSTEM_REGISTER(VtcrEl2, vtcr_el2) SYSTEM_REGISTER(TcrEl2, tcr_el2)
SYSTEM_REGISTER(SctlrEl2, sctlr_el2) SYSTEM_REGISTER(CptrEl2, cptr_el2) SYSTEM_REGISTER(MdcrEl2, mdcr_el2)
SYSTEM_REGISTER(CnthctlEl2, cnthctl_el2) SYSTEM_REGISTER(IchHcrEl2, s3_4_c12_c11_0) SYSTEM_REGISTER(EsrEl2, esr_el2)
SYSTEM_REGISTER(ElrEl2, elr_el2) SYSTEM_REGISTER(FarEl2, far_el2) SYSTEM_REGISTER(HpfarEl2, hpfar_el2)
SYSTEM_REGISTER(VttbrEl2, vttbr_el2) SYSTEM_REGISTER(VpidrEl2, vpidr_el2) SYSTEM_REGISTER(VmpidrEl2, vmpidr_el2)
SYSTEM_REGISTER(CntvoffEl2, cntvoff_el2) SYSTEM_REGISTER(CnthpCtl, cnthp_ctl_el2) SYSTEM_REGISTER(CnthpCval, cnthp_cval_el2)
SYSTEM_REGISTER(Cntpct, cntpct_el0) SYSTEM_REGISTER(Cntfrq, cntfrq_el0) SYSTEM_REGISTER(TpidrEl2, tpidr_el2)
SYSTEM_REGISTER(Ttbr0El2, ttbr0_el2) SYSTEM_REGISTER(MairEl2, mair_el2) SYSTEM_REGISTER(HstrEl2, hstr_el2)
SYSTEM_REGISTER(VsesrEl2, s3_4_c5_c2_3) SYSTEM_REGISTER(VdisrEl2, s3_4_c12_c1_1) SYSTEM_REGISTER(Tpidr2El0, s3_3_c13_c0_5)
SYSTEM_REGISTER(ActlrEl2, actlr_el2) SYSTEM_REGISTER(IsrEl1, isr_el1) SYSTEM_REGISTER(MidrEl1, midr_el1)
SYSTEM_REGISTER(CntvCtl, cntv_ctl_el0) SYSTEM_REGISTER(IccIar1, s3_0_c12_c12_0) SYSTEM_REGISTER(IccEoir1, s3_0_c12_c12_1)
SYSTEM_REGISTER(IccDir, s3_0_c12_c11_1) SYSTEM_REGISTER(IccPmr, s3_0_c4_c6_0) SYSTEM_REGISTER(IccIgrpen1, s3_0_c12_c12_7)
SYSTEM_REGISTER(IccCtlr, s3_0_c12_c12_4) SYSTEM_REGISTER(IccSgi1r, s3_0_c12_c11_5) SYSTEM_REGISTER(IccSreEl2, s3_4_c12_c9_5)
SYSTEM_REGISTER(IccBpr1, s3_0_c12_c12_3) SYSTEM_REGISTER(IchVtr, s3_4_c12_c11_1) SYSTEM_REGISTER(IchVmcr, s3_4_c12_c11_7)
SYSTEM_REGISTER(IchElrsr, s3_4_c12_c11_5) SYSTEM_REGISTER(EsrEl1, esr_el1) SYSTEM_REGISTER(ElrEl1, elr_el1)
SYSTEM_REGISTER(MdscrEl1, mdscr_el1) SYSTEM_REGISTER(PmcrEl0, pmcr_el0) SYSTEM_REGISTER(PmselrEl0, pmselr_el0)
SYSTEM_REGISTER(CtrEl0, ctr_el0) SYSTEM_REGISTER(DczidEl0, dczid_el0) SYSTEM_REGISTER(IdAa64Dfr0, id_aa64dfr0_el1)
SYSTEM_REGISTER(IdAa64Isar0, id_aa64isar0_el1) SYSTEM_REGISTER(IdAa64Isar1, id_aa64isar1_el1)
SYSTEM_REGISTER(IdAa64Isar2, s3_0_c0_c6_2) SYSTEM_REGISTER(IdAa64Pfr0, id_aa64pfr0_el1) SYSTEM_REGISTER(IdAa64Pfr1, id_aa64pfr1_el1)
SYSTEM_REGISTER(IdAa64Mmfr0, id_aa64mmfr0_el1) SYSTEM_REGISTER(IdAa64Mmfr1, id_aa64mmfr1_el1) SYSTEM_REGISTER(SpsrEl2, spsr_el2)
#undef SYSTEM_REGISTER

inline void isb() { asm volatile("isb" ::: "memory"); }
// clang-format on
inline void dsb_ish() { asm volatile("dsb ish" ::: "memory"); }
inline void dsb_ishst() { asm volatile("dsb ishst" ::: "memory"); }
inline void dsb_nsh() { asm volatile("dsb nsh" ::: "memory"); }
inline void dsb_sy() { asm volatile("dsb sy" ::: "memory"); }
inline void wfi() { asm volatile("wfi" ::: "memory"); }
inline void yield() { asm volatile("yield" ::: "memory"); }

/// a == b && c == d, with one branch, which the compiler does not find.
template <class A, class C> [[gnu::always_inline]] inline bool both_equal(A a, A b, C c, C d) {
    asm goto("cmp %x0, %x1\n ccmp %x2, %x3, #0, eq\n b.ne %l4" : : "r"(a), "rI"(b), "r"(c), "rZ"(d) : "cc" : no);
    return true;
no:
    return false;
}

// TLB and cache maintenance. Those with `ish` reach all cores; stage-2 ones use the VMID in VTTBR_EL2.
inline void tlbi_ipas2e1is(GuestAddr ipa) { asm volatile("tlbi ipas2e1is, %0" : : "r"(ipa.value >> 12) : "memory"); }
inline void tlbi_vmalle1is() { asm volatile("tlbi vmalle1is" ::: "memory"); }
inline void tlbi_vmalle1() { asm volatile("tlbi vmalle1" ::: "memory"); }
inline void tlbi_vmalls12e1is() { asm volatile("tlbi vmalls12e1is" ::: "memory"); }
inline void tlbi_vae2is(uint64_t address) { asm volatile("tlbi vae2is, %0" : : "r"(address >> 12) : "memory"); }
inline void tlbi_alle2() { asm volatile("tlbi alle2" ::: "memory"); }
inline void tlbi_alle1() { asm volatile("tlbi alle1" ::: "memory"); }
inline void ic_iallu() { asm volatile("ic iallu" ::: "memory"); }
inline void ic_ialluis() { asm volatile("ic ialluis" ::: "memory"); }
inline void dc_zva(uint64_t address) { asm volatile("dc zva, %0" : : "r"(address) : "memory"); }
inline uint64_t zeroed_line() { return 4ull << (read<DczidEl0>().bits & 15); } ///< bytes that dc_zva zeroes
inline void dc_civac(uint64_t address) { asm volatile("dc civac, %0" : : "r"(address) : "memory"); }

/// The core's address space is an identity map of what it may touch.
template <class T> T* pointer(PhysAddr address) { return reinterpret_cast<T*>(address.value); }
inline PhysAddr physical(const void* pointer) { return {reinterpret_cast<uint64_t>(pointer)}; }

// Device registers and table entries: each access once, and in this order.
inline uint32_t load32(PhysAddr address) { return *pointer<const volatile uint32_t>(address); }
inline void store32(PhysAddr address, uint32_t value) { *pointer<volatile uint32_t>(address) = value; }
inline void store64(PhysAddr address, uint64_t value) { *pointer<volatile uint64_t>(address) = value; }

/// An interrupt is pending for this core (ISR_EL1): long work at EL2 looks here between its steps.
inline bool interrupt_pending() { return read<IsrEl1>().bits != 0; }

/// List register n (ICH_LRn_EL2), one of those that are used; and for the boot: the first `count` of up to 16.
uint64_t read_lr(unsigned n);
void write_lr(unsigned n, uint64_t value);
void clear_list_registers(unsigned count);

inline bool has_ras() { return (read<IdAa64Pfr0>().bits >> 28 & 15) != 0; }
inline bool has_gic() { return (read<IdAa64Pfr0>().bits >> 24 & 15) != 0; } ///< its CPU interface as system registers: GICv3, v4
inline bool has_sme() { return (read<IdAa64Pfr1>().bits >> 24 & 15) != 0; }
inline bool has_pauth() { return (read<IdAa64Isar1>().bits & 0xff0) | (read<IdAa64Isar2>().bits & 0xf000); }
inline bool has_pmu() { return (read<IdAa64Dfr0>().bits >> 8 & 15) % 15 != 0; } ///< PMUv3
inline bool has_pan() { return (read<IdAa64Mmfr1>().bits >> 20 & 15) != 0; }
/// Everything that FEAT_FGT and FEAT_HCX can allow EL1 is refused.
inline void refuse_new_features() {
    if (read<IdAa64Mmfr0>().bits >> 56 & 15) {
        asm volatile("msr s3_4_c1_c1_4, xzr\n msr s3_4_c1_c1_5, xzr\n msr s3_4_c1_c1_6, xzr\n" // HFGRTR, HFGWTR, HFGITR
                     "msr s3_4_c3_c1_4, xzr\n msr s3_4_c3_c1_5, xzr\n");                       // HDFGRTR, HDFGWTR
    }
    if (read<IdAa64Mmfr1>().bits >> 40 & 15) { asm volatile("msr s3_4_c1_c2_2, xzr"); } // HCRX
}

/// FEAT_CRC32, and sixteen bytes of IEEE 802.3 CRC-32 by it.
inline bool has_crc32() { return (read<IdAa64Isar0>().bits >> 16 & 15) != 0; }
inline uint32_t crc32_step(uint32_t crc, const uint64_t* words) {
    asm(".arch_extension crc\n crc32x %w0, %w0, %1\n crc32x %w0, %w0, %2" : "+&r"(crc) : "r"(words[0]), "r"(words[1]));
    return crc;
}

/// SMC to the firmware (PSCI): returns x0. It keeps the registers that a function keeps. In entry/vectors.S.
uint64_t smc(uint64_t function, uint64_t a1, uint64_t a2, uint64_t a3);

} // namespace bulkhead::hw
