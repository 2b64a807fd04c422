// SPDX-License-Identifier: MIT
// The EL2 registers that the core programs: their fields, from the Arm ARM (DDI 0487), chapter D17, and GICv3 (IHI 0069).
#pragma once
#include "regs/register.hpp"

namespace bulkhead {

struct HcrEl2 : Fields<HcrEl2> {
    static constexpr F<0> vm{};
    static constexpr F<1> swio{};
    static constexpr F<3> fmo{};
    static constexpr F<4> imo{};
    static constexpr F<5> amo{};
    static constexpr F<8> vse{};
    static constexpr F<9> fb{};
    static constexpr F<10, 2> bsu{};
    static constexpr F<12> dc{};
    static constexpr F<13> twi{};
    static constexpr F<14> twe{};
    static constexpr F<16> tid1{};
    static constexpr F<17> tid2{};
    static constexpr F<18> tid3{};
    static constexpr F<19> tsc{};
    static constexpr F<20> tidcp{};
    static constexpr F<21> tacr{};
    static constexpr F<22> tsw{};
    static constexpr F<26> tvm{};
    static constexpr F<30> trvm{};
    static constexpr F<31> rw{};
    static constexpr F<35> tlor{};
    static constexpr F<36> terr{};
    static constexpr F<40, 2> pauth{}; ///< APK, API: do not trap
};

struct VtcrEl2 : Fields<VtcrEl2> {
    static constexpr F<0, 6> t0sz{};
    static constexpr F<6, 2> sl0{};
    static constexpr F<8, 2> irgn0{};
    static constexpr F<10, 2> orgn0{};
    static constexpr F<12, 2> sh0{};
    static constexpr F<16, 3> ps{};
    static constexpr F<31> res1{};
};

struct TcrEl2 : Fields<TcrEl2> {
    static constexpr F<0, 6> t0sz{};
    static constexpr F<8, 2> irgn0{};
    static constexpr F<10, 2> orgn0{};
    static constexpr F<12, 2> sh0{};
    static constexpr F<16, 3> ps{};
    static constexpr uint64_t res1 = 1u << 31 | 1u << 23;
};

struct SctlrEl2 : Fields<SctlrEl2> {
    static constexpr F<0> m{};
    static constexpr F<1> a{};
    static constexpr F<2> c{};
    static constexpr F<3> sa{};
    static constexpr F<12> i{};
    static constexpr F<19> wxn{};
    static constexpr uint64_t res1 = 0x30c5'0830;
};

struct CptrEl2 : Fields<CptrEl2> {
    static constexpr F<8> tz{};
    static constexpr F<10> tfp{};
    static constexpr F<12> tsm{};
    static constexpr F<20> tta{};
    static constexpr F<30> tam{};
    static constexpr F<31> tcpac{};
    static constexpr uint64_t res1 = 0x22ff;
};

struct MdcrEl2 : Fields<MdcrEl2> {
    static constexpr F<0, 5> hpmn{};
    static constexpr F<5> tpmcr{};
    static constexpr F<6> tpm{};
    static constexpr F<9> tda{};
    static constexpr F<10> tdosa{};
    static constexpr F<11> tdra{};
    static constexpr F<14> tpms{};
    static constexpr F<17> hpmd{};
    static constexpr F<19> ttrf{};
};

struct CnthctlEl2 : Fields<CnthctlEl2> {
    static constexpr F<0> el1pcten{};
};

struct IchHcrEl2 : Fields<IchHcrEl2> {
    static constexpr F<0> en{};
    static constexpr F<1> uie{};
    static constexpr F<2> lrenpie{};
    static constexpr F<3> npie{};
    static constexpr F<10> tc{};
    static constexpr F<11> tall0{};
    static constexpr F<12> tall1{};
    static constexpr F<27, 5> eoi_count{};
};

struct IchLr : Fields<IchLr> {
    static constexpr F<0, 32> vintid{};
    static constexpr F<32, 10> pintid{};
    static constexpr F<41> eoi{}; ///< when hw is 0
    static constexpr F<48, 8> priority{};
    static constexpr F<60> group{};
    static constexpr F<61> hw{};
    static constexpr F<62, 2> state{};
    static constexpr uint64_t invalid = 0, pending = 1, active = 2, pending_active = 3;
};

/// ESR_EL2, ESR_EL1: exception class and the ISS forms that the core decodes.
struct EsrEl2 : Fields<EsrEl2> {
    static constexpr F<26, 6> ec{};
    static constexpr F<25> il{};
    static constexpr F<0, 25> iss{};
    // data and instruction aborts
    static constexpr F<0, 6> fsc{};
    static constexpr F<6> wnr{};
    static constexpr F<24> isv{};
    // HVC, SMC
    static constexpr F<0, 16> imm16{};
    // WFx
    static constexpr F<0, 2> ti{};
};

namespace ec {
constexpr uint64_t wfx = 0x01, cp15_32 = 0x03, cp15_64 = 0x04, cp14_32 = 0x05, cp14_load = 0x06, fp = 0x07, pointer_auth = 0x09,
                   ld64b = 0x0a, cp14_64 = 0x0c, hvc64 = 0x16, smc64 = 0x17, msr = 0x18, sve = 0x19, sme = 0x1d,
                   instruction_abort = 0x20, data_abort = 0x24;
} // namespace ec

} // namespace bulkhead
