// SPDX-License-Identifier: MIT
// The EL2 registers that the core programs: their fields, from the Arm ARM (DDI 0487), chapter D17, and GICv3 (IHI 0069).
#pragma once
#include "regs/register.hpp"

namespace bulkhead {

struct HcrEl2 : Fields<HcrEl2> {
    static constexpr F vm{0}, swio{1}, fmo{3}, imo{4}, amo{5}, vse{8}, fb{9}, bsu{10, 2}, dc{12}, twi{13}, twe{14}, tid1{16},
        tid2{17}, tid3{18}, tsc{19}, tidcp{20}, tacr{21}, tsw{22}, tvm{26}, trvm{30}, rw{31}, tlor{35}, terr{36};
    static constexpr F pauth{40, 2}; ///< APK, API: do not trap
};

struct VtcrEl2 : Fields<VtcrEl2> {
    static constexpr F t0sz{0, 6}, sl0{6, 2}, irgn0{8, 2}, orgn0{10, 2}, sh0{12, 2}, ps{16, 3}, res1{31};
};

struct TcrEl2 : Fields<TcrEl2> {
    static constexpr F t0sz{0, 6}, irgn0{8, 2}, orgn0{10, 2}, sh0{12, 2}, ps{16, 3};
    static constexpr uint64_t res1 = 1u << 31 | 1u << 23;
};

struct SctlrEl2 : Fields<SctlrEl2> {
    static constexpr F m{0}, a{1}, c{2}, sa{3}, i{12}, wxn{19};
    static constexpr uint64_t res1 = 0x30c5'0830;
};

struct CptrEl2 : Fields<CptrEl2> {
    static constexpr F tz{8}, tfp{10}, tsm{12}, tta{20}, tam{30}, tcpac{31};
    static constexpr uint64_t res1 = 0x22ff;
};

struct MdcrEl2 : Fields<MdcrEl2> {
    static constexpr F hpmn{0, 5}, tpmcr{5}, tpm{6}, tda{9}, tdosa{10}, tdra{11}, tpms{14}, hpmd{17}, ttrf{19};
};

struct CnthctlEl2 : Fields<CnthctlEl2> {
    static constexpr F el1pcten{0};
};

struct IchHcrEl2 : Fields<IchHcrEl2> {
    static constexpr F en{0}, uie{1}, lrenpie{2}, npie{3}, tc{10}, tall0{11}, tall1{12}, eoi_count{27, 5};
};

struct IchLr : Fields<IchLr> {
    static constexpr F vintid{0, 32}, pintid{32, 10};
    static constexpr F eoi{41}; ///< when hw is 0
    static constexpr F priority{48, 8}, group{60}, hw{61}, state{62, 2};
    static constexpr uint64_t invalid = 0, pending = 1, active = 2, pending_active = 3;
};

/// ESR_EL2, ESR_EL1: exception class and the ISS forms that the core decodes.
struct EsrEl2 : Fields<EsrEl2> {
    static constexpr F ec{26, 6}, il{25};
    // data and instruction aborts
    static constexpr F fsc{0, 6}, isv{24};
    // HVC, SMC
    static constexpr F imm16{0, 16};
    // WFx
    static constexpr F ti{0, 2};
};

namespace ec {
constexpr uint64_t wfx = 0x01, cp15_32 = 0x03, cp15_64 = 0x04, cp14_32 = 0x05, cp14_load = 0x06, fp = 0x07, pointer_auth = 0x09,
                   ld64b = 0x0a, cp14_64 = 0x0c, hvc64 = 0x16, smc64 = 0x17, msr = 0x18, sve = 0x19, sme = 0x1d,
                   instruction_abort = 0x20, data_abort = 0x24;
} // namespace ec

} // namespace bulkhead
