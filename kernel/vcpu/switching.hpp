// SPDX-License-Identifier: MIT
// Which vCPU's registers are in the hardware: switching between guest and service, between VMs, and on demand.
#pragma once
#include "irq/virtual.hpp"
#include "switch.hpp"

namespace bulkhead {

/// What a native partition runs with (docs/registers.md).
constexpr uint64_t native_sctlr = 0x30d0'0800;   ///< stage 1 off, little-endian, RES1 bits
constexpr uint64_t native_vbar = 0x7f'ffff'f800; ///< never mapped: an exception at EL1 becomes an instruction abort here
constexpr uint64_t native_pstate = 0x3c4; ///< EL1t, all masked; EL1h after an exception, and by nothing else if it is confined
constexpr uint64_t vm_pstate = 0x3c5;     ///< a VM's at its start: EL1h, all masked

/// Who runs goes on.
[[gnu::always_inline]] inline Vcpu* stay(Core& core, Vcpu& vcpu) {
    return vcpu.native || !vcpu.interrupts.is_dirty() ? &vcpu : before_guest(core, vcpu);
}
/// Moves what runs in the hardware, if anything, to memory (its general registers are there already); then `next`, if any, is
/// the one that runs. Returns it.
Vcpu* switch_to(Core& core, Vcpu* next);
/// Nobody runs then.
inline void leave(Core& core) { switch_to(core, nullptr); }
/// Makes a confined native partition's vCPU the one that runs. What ran before has been left.
[[gnu::always_inline]] inline void enter_native(Core& core, Vcpu& next, uint64_t pstate) {
    core.current = &next;
    hw::load_place(next.context, pstate);
    hw::load_controls(next);
    hw::load_native_el1(next);
}
/// The same, from another one's, of which PC and SP are saved: their controls are alike but for VTTBR_EL2.
[[gnu::always_inline]] inline void enter_from_native(Core& core, Vcpu& next) {
    core.current = &next;
    hw::load_place(next.context, native_pstate);
    hw::load_address_space(next);
}
/// Takes every register of `vcpu` that is in this core's hardware to memory.
void write_back(Core& core, Vcpu& vcpu);
/// The guest used FP/SIMD while another's registers were loaded.
void take_fp(Core& core, Vcpu& vcpu);
void init_vcpu(Vcpu& vcpu, Partition& partition, unsigned index, unsigned core, unsigned priority);
/// From reset state: general registers zero but x0, x1.
void reset_vcpu(Vcpu& vcpu, uint64_t entry, uint64_t x0, uint64_t x1, uint64_t stack);

} // namespace bulkhead
