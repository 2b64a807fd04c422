// SPDX-License-Identifier: MIT
// Moving register state, for host tests: what a core's hardware would hold is a struct per core.
#pragma once
#include "hw.hpp"
#include <algorithm>
#include <span>

namespace bulkhead::hw {

struct Loaded {
    EagerState eager;
    LazyState lazy;
    FpState fp;
    Controls controls;
    uint64_t sp_el0;
    ExtraState extra;
};
inline Loaded loaded[abi::max_cores];
inline Loaded& in_hardware() { return loaded[this_core]; }

template <> inline Value<ElrEl1> read<ElrEl1>() { return {in_hardware().eager.elr_el1}; }
template <> inline Value<EsrEl1> read<EsrEl1>() { return {in_hardware().eager.esr_el1}; }

inline void save_native(Context& context) {
    context.pc = read<ElrEl2>().bits;
    context.pstate = read<SpsrEl2>().bits;
    context.sp = in_hardware().sp_el0;
}
inline void save_place(Context& context) {
    context.pc = read<ElrEl2>().bits;
    context.sp = in_hardware().sp_el0;
}
inline void load_native(uint64_t pc, uint64_t pstate, uint64_t sp) {
    write<ElrEl2>({pc});
    write<SpsrEl2>({pstate});
    in_hardware().sp_el0 = sp;
}
inline void load_place(const Context& context, uint64_t pstate) { load_native(context.pc, pstate, context.sp); }
template <class Vcpu> void save_el1(Vcpu& vcpu) {
    vcpu.eager = in_hardware().eager;
    in_hardware().eager.cntv_ctl_el0 = 0;
}
template <class Vcpu> void load_el1(const Vcpu& vcpu) { in_hardware().eager = vcpu.eager; }
template <class Vcpu> void resume_el1(const Vcpu& vcpu) {
    in_hardware().eager.sctlr_el1 = vcpu.eager.sctlr_el1;
    in_hardware().eager.vbar_el1 = vcpu.eager.vbar_el1;
    in_hardware().eager.cntv_ctl_el0 = vcpu.eager.cntv_ctl_el0;
}
template <class Vcpu> void load_native_el1(const Vcpu& vcpu) {
    in_hardware().eager.sctlr_el1 = vcpu.controls.sctlr;
    in_hardware().eager.vbar_el1 = vcpu.controls.vbar;
}
inline void clear_el1() {
    auto& eager = in_hardware().eager;
    auto& lazy = in_hardware().lazy;
    eager.elr_el1 = eager.spsr_el1 = eager.cntv_ctl_el0 = eager.cntv_cval_el0 = 0;
    lazy.sp_el1 = lazy.par_el1 = lazy.tpidr_el0 = lazy.tpidrro_el0 = lazy.tpidr_el1 = lazy.cntkctl_el1 = 0;
    if (has_ras()) { write<VdisrEl2>({}); }
    if (has_sme()) { write<Tpidr2El0>({}); }
}
inline void enter(const Context&) {}
inline void enter_with_message(Context& context, const uint64_t (&message)[9]) { std::copy_n(message, 9, context.x); }
template <class Vcpu> void load_address_space(const Vcpu& vcpu) { in_hardware().controls.vttbr = vcpu.controls.vttbr; }
template <class Vcpu> void load_controls(const Vcpu& vcpu) { in_hardware().controls = vcpu.controls; }
inline void save_lazy(LazyState& state) { state = in_hardware().lazy; }
inline void load_lazy(const LazyState& state) { in_hardware().lazy = state; }
inline void exchange_keys(uint64_t* at) { std::ranges::swap_ranges(in_hardware().extra.keys, std::span(at, 10)); }
inline void exchange_pmu(uint64_t* at) {
    std::ranges::swap_ranges(in_hardware().extra.pmu, std::span(at, std::size(in_hardware().extra.pmu)));
}
inline void save_fp(FpState& state) { state = in_hardware().fp; }
inline void load_fp(const FpState& state) { in_hardware().fp = state; }

} // namespace bulkhead::hw
