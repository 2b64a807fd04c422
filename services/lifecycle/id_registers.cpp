// SPDX-License-Identifier: MIT
// Field by field what VMs are not given (Arm ARM DDI 0487, D17.2: the ID registers); docs/registers.md has the reasons.
#include "services/lifecycle/id_registers.hpp"
#include "abi/message.hpp"
#include <algorithm>
#include <ranges>

namespace lifecycle {
namespace {

constexpr uint32_t id(unsigned crm, unsigned op2) { return abi::sysreg(3, 0, 0, crm, op2); }

constexpr uint32_t id_pfr0 = id(1, 0), id_pfr1 = id(1, 1), id_dfr0 = id(1, 2), id_aa64pfr0 = id(4, 0), id_aa64pfr1 = id(4, 1),
                   id_aa64dfr0 = id(5, 0), id_aa64isar0 = id(6, 0), id_aa64isar1 = id(6, 1), id_aa64isar2 = id(6, 2),
                   id_aa64mmfr0 = id(7, 0), id_aa64mmfr1 = id(7, 1), id_aa64mmfr2 = id(7, 2);

/// A field of four bits is at most this, unless the VM has been given what it tells of.
struct Limit {
    uint32_t encoding;
    unsigned shift;
    uint64_t most;
    bool Extras::*given = nullptr;
};
constexpr Limit limits[] = {
    {id_pfr0, 20, 0},                    // AMU
    {id_pfr0, 28, 0},                    // RAS
    {id_pfr1, 12, 0},                    // Virtualization
    {id_dfr0, 12, 0},                    // CopTrc
    {id_dfr0, 20, 0},                    // MMapTrc
    {id_dfr0, 24, 0, &Extras::pmu},      // PerfMon
    {id_dfr0, 28, 0},                    // TraceFilt
    {id_aa64pfr0, 4, 1},                 // EL1: AArch64 only
    {id_aa64pfr0, 8, 0},                 // EL2
    {id_aa64pfr0, 12, 0},                // EL3
    {id_aa64pfr0, 28, 0},                // RAS
    {id_aa64pfr0, 32, 0},                // SVE
    {id_aa64pfr0, 36, 0},                // SEL2
    {id_aa64pfr0, 40, 0},                // MPAM
    {id_aa64pfr0, 44, 0},                // AMU
    {id_aa64pfr0, 52, 0},                // RME
    {id_aa64pfr0, 56, 1},                // CSV2: without SCXTNUM
    {id_aa64pfr1, 8, 0},                 // MTE
    {id_aa64pfr1, 12, 0},                // RAS_frac
    {id_aa64pfr1, 16, 0},                // MPAM_frac
    {id_aa64pfr1, 24, 0},                // SME
    {id_aa64pfr1, 32, 0},                // CSV2_frac
    {id_aa64pfr1, 36, 0},                // NMI
    {id_aa64dfr0, 0, 6},                 // DebugVer: Armv8.0
    {id_aa64dfr0, 4, 0},                 // TraceVer
    {id_aa64dfr0, 8, 0, &Extras::pmu},   // PMUVer
    {id_aa64dfr0, 12, 1},                // BRPs: two breakpoints are the least; they ignore writes
    {id_aa64dfr0, 20, 1},                // WRPs: likewise
    {id_aa64dfr0, 28, 0},                // CTX_CMPs
    {id_aa64dfr0, 32, 0},                // PMSVer
    {id_aa64dfr0, 40, 0},                // TraceFilt
    {id_aa64dfr0, 44, 0},                // TraceBuffer
    {id_aa64dfr0, 48, 0},                // MTPMU
    {id_aa64dfr0, 52, 0},                // BRBE
    {id_aa64dfr0, 60, 0},                // HPMN0
    {id_aa64isar1, 4, 0, &Extras::pac},  // APA
    {id_aa64isar1, 8, 0, &Extras::pac},  // API
    {id_aa64isar1, 24, 0, &Extras::pac}, // GPA
    {id_aa64isar1, 28, 0, &Extras::pac}, // GPI
    {id_aa64isar1, 56, 0},               // XS
    {id_aa64isar1, 60, 0},               // LS64
    {id_aa64isar2, 0, 0},                // WFxT
    {id_aa64isar2, 8, 0, &Extras::pac},  // GPA3
    {id_aa64isar2, 12, 0, &Extras::pac}, // APA3
    {id_aa64isar2, 16, 0},               // MOPS
    {id_aa64mmfr0, 56, 0},               // FGT
    {id_aa64mmfr1, 8, 0},                // VH
    {id_aa64mmfr1, 16, 0},               // LO
    {id_aa64mmfr1, 28, 0},               // XNX
    {id_aa64mmfr1, 32, 0},               // TWED
    {id_aa64mmfr1, 40, 0},               // HCX
    {id_aa64mmfr2, 24, 0},               // NV
    {id_aa64mmfr2, 40, 0},               // FWB
    {id_aa64mmfr2, 56, 0},               // EVT
};

/// Reserved, or a feature of its own that no VM has (SVE and SME: ZFR0, SMFR0; AFR, DFR1 and MMFR3 to 7).
bool is_hidden(uint32_t encoding) {
    constexpr uint32_t named[] = {id_aa64pfr0,  id_aa64pfr1,  id_aa64dfr0,  id_aa64isar0, id_aa64isar1,
                                  id_aa64isar2, id_aa64mmfr0, id_aa64mmfr1, id_aa64mmfr2};
    return (encoding >> 1 & 15) >= 4 && std::ranges::find(named, encoding) == std::ranges::end(named);
}

} // namespace

bool is_id_register(uint32_t encoding) {
    const uint32_t crm = encoding >> 1 & 15;
    return (encoding & ~(id(15, 7) ^ id(0, 0))) == id(0, 0) && crm >= 1 && crm <= 7;
}

uint64_t id_register_for_vm(uint32_t encoding, uint64_t value, Extras const& extras) {
    if (is_hidden(encoding)) { return 0; }
    for (auto const& limit : limits) {
        if (limit.encoding != encoding || (limit.given != nullptr && extras.*limit.given)) { continue; }
        const uint64_t field = std::min(value >> limit.shift & 15, limit.most);
        value = (value & ~(15ull << limit.shift)) | field << limit.shift;
    }
    constexpr uint64_t double_lock = 15ull << 36; // 15: there is no OS double lock
    return encoding == id_aa64dfr0 ? value | double_lock : value;
}

} // namespace lifecycle
