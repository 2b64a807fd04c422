// SPDX-License-Identifier: MIT
// The register state of a vCPU, by how it is switched: by entry code, on every way to a service, between VMs, or on demand.
#pragma once
#include <cstdint>

namespace bulkhead {

/// What the entry code saves and restores by itself; its offsets are known to entry/vectors.S.
struct Context {
    uint64_t x[32]; ///< x[31] takes what is loaded into XZR
    uint64_t pc;
    uint64_t sp; ///< SP_EL0; with the PC, all of a native partition that is both saved and loaded on every way
    uint64_t pstate;
};

/// A VM's EL1 registers that are saved on every way to a service: what an exception of the service would write, what the service
/// runs with, and the timer, which is stopped.
struct EagerState {
    uint64_t elr_el1, spsr_el1, esr_el1, far_el1, sctlr_el1, vbar_el1, cntv_cval_el0, cntv_ctl_el0;
};

/// A VM's registers that stay in the hardware while services run for it: switched between VMs. A native partition's access to the
/// first six, and DISR_EL1, does not trap: a confined one has no such instruction, and for another one the VM leaves the hardware.
struct LazyState {
    uint64_t sp_el1, par_el1, tpidr_el0, tpidrro_el0, tpidr_el1, cntkctl_el1;
    uint64_t ttbr0_el1, ttbr1_el1, tcr_el1, mair_el1, amair_el1, contextidr_el1, afsr0_el1, afsr1_el1, cpacr_el1, mdscr_el1,
        csselr_el1;
    uint64_t ich_vmcr, ich_ap0r0, ich_ap1r0;
};

/// Those that only some CPUs have, or only some VMs. They change places with the hardware's: the PMU's whenever the VM is entered or
/// left, the others with the LazyState.
struct ExtraState {
    uint64_t vdisr_el2, tpidr2_el0;
    uint64_t keys[10];        ///< of pointer authentication
    uint64_t pmu[9 + 2 * 31]; ///< in the order of exchange_pmu()
};

constexpr uint32_t max_list_registers = 4; ///< used, of those that there are: filling them takes bounded time

struct FpState {
    alignas(16) uint64_t v[64]; ///< v0..v31, 128 bits each
    uint64_t fpcr, fpsr;
};

/// EL2 controls, packed ready to write.
struct Controls {
    uint64_t vttbr, hcr, cptr, ich_hcr;
    union {
        struct {
            uint64_t vmpidr, cntvoff;
        }; ///< of VMs: native partitions see the last one's
        struct {
            uint64_t sctlr, vbar;
        }; ///< of native partitions
    };
};

} // namespace bulkhead
