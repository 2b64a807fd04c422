// SPDX-License-Identifier: MIT
// Owns what only inline assembly can say: system registers, barriers, waiting, masking.
#pragma once

#include <cstdint>

namespace guest {

constexpr unsigned max_cpus = 2;

#define SYSTEM_REGISTER(Name, encoding)                                                                                            \
    struct Name {                                                                                                                  \
        static uint64_t read() {                                                                                                   \
            uint64_t value;                                                                                                        \
            asm volatile("mrs %0, " encoding : "=r"(value) : : "memory");                                                          \
            return value;                                                                                                          \
        }                                                                                                                          \
        static void write(uint64_t value) { asm volatile("msr " encoding ", %0" : : "r"(value) : "memory"); }                      \
    };

SYSTEM_REGISTER(MpidrEl1, "mpidr_el1")
SYSTEM_REGISTER(TpidrEl1, "tpidr_el1")
SYSTEM_REGISTER(EsrEl1, "esr_el1")
SYSTEM_REGISTER(FarEl1, "far_el1")
SYSTEM_REGISTER(CntfrqEl0, "cntfrq_el0")
SYSTEM_REGISTER(CntvctEl0, "cntvct_el0")
SYSTEM_REGISTER(CntvCtlEl0, "cntv_ctl_el0")
SYSTEM_REGISTER(CntvCvalEl0, "cntv_cval_el0")
SYSTEM_REGISTER(CntvTvalEl0, "cntv_tval_el0")
SYSTEM_REGISTER(CntpctEl0, "cntpct_el0")
SYSTEM_REGISTER(CntpCtlEl0, "cntp_ctl_el0")
SYSTEM_REGISTER(CntpCvalEl0, "cntp_cval_el0")
SYSTEM_REGISTER(CntpTvalEl0, "cntp_tval_el0")
SYSTEM_REGISTER(IccPmrEl1, "S3_0_C4_C6_0")
SYSTEM_REGISTER(IccSgi1rEl1, "S3_0_C12_C11_5")
SYSTEM_REGISTER(IccIar1El1, "S3_0_C12_C12_0")
SYSTEM_REGISTER(IccEoir1El1, "S3_0_C12_C12_1")
SYSTEM_REGISTER(IccBpr1El1, "S3_0_C12_C12_3")
SYSTEM_REGISTER(IccCtlrEl1, "S3_0_C12_C12_4")
SYSTEM_REGISTER(IccSreEl1, "S3_0_C12_C12_5")
SYSTEM_REGISTER(IccIgrpen1El1, "S3_0_C12_C12_7")

inline void isb() { asm volatile("isb" : : : "memory"); }
inline void dsb() { asm volatile("dsb sy" : : : "memory"); }
inline void wfi() { asm volatile("dsb sy; wfi" : : : "memory"); }
inline void wfe() { asm volatile("wfe" : : : "memory"); }
inline void sev() { asm volatile("dsb ish; sev" : : : "memory"); }
inline void yield() { asm volatile("yield" : : : "memory"); }
inline void unmask_interrupts() { asm volatile("msr daifclr, #2" : : : "memory"); }

/// The index that this guest gave the CPU: 0 boots, 1 is started by it.
inline unsigned this_cpu() { return static_cast<unsigned>(TpidrEl1::read()); }

/// Aff3.Aff2.Aff1.Aff0 where MPIDR has them.
inline uint64_t this_affinity() { return MpidrEl1::read() & 0xff'00ff'ffff; }

/// Masks IRQ for a scope.
class IrqGuard {
public:
    IrqGuard() { asm volatile("mrs %0, daif; msr daifset, #2" : "=r"(daif_) : : "memory"); }
    ~IrqGuard() { asm volatile("msr daif, %0" : : "r"(daif_) : "memory"); }
    IrqGuard(const IrqGuard&) = delete;
    IrqGuard& operator=(const IrqGuard&) = delete;

private:
    uint64_t daif_;
};

/// Sleeps until an interrupt unless `awake()` holds, with no gap in which a wake-up could be lost.
template <typename Condition> void sleep_unless(Condition awake) {
    IrqGuard masked;
    if (!awake()) wfi();
}

/// Device registers.
template <typename Word> Word mmio_read(uint64_t address) {
    Word value;
    if constexpr (sizeof(Word) == 8)
        asm volatile("ldr %x0, [%1]" : "=r"(value) : "r"(address) : "memory");
    else
        asm volatile("ldr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
    return value;
}

template <typename Word> void mmio_write(uint64_t address, Word value) {
    if constexpr (sizeof(Word) == 8)
        asm volatile("str %x0, [%1]" : : "r"(value), "r"(address) : "memory");
    else
        asm volatile("str %w0, [%1]" : : "r"(value), "r"(address) : "memory");
}

} // namespace guest
