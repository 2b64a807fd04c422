// SPDX-License-Identifier: MIT
// The slower parts of switching: another VM's registers, FP/SIMD on demand, reset.
#include "vcpu/switching.hpp"
#include "sched/scheduler.hpp"

namespace bulkhead {

/// Two vCPUs of one VM share a VMID: this core's TLB may hold the other's translations.
static void forget_translations(Core& core, Vcpu& vcpu) {
    Vcpu*& last = vcpu.partition->last_vcpu[core.index];
    if (last != &vcpu && last) {
        hw::write<hw::VttbrEl2>({vcpu.controls.vttbr});
        hw::isb(); // the TLBI acts on the VMID in VTTBR_EL2
        hw::tlbi_vmalle1();
        hw::ic_iallu();
        hw::dsb_nsh();
        hw::isb();
    }
    last = &vcpu;
}

static void set_fp_trap(Vcpu& vcpu, bool trap) {
    vcpu.controls.cptr = Value<CptrEl2>{vcpu.controls.cptr}.with(CptrEl2::tfp, trap).bits;
}

template <class R> static void exchange(uint64_t& kept) {
    const Value<R> old = hw::read<R>();
    hw::write<R>({kept});
    kept = old.bits;
}
/// What CPUs with RAS, or newer ones, have beside LazyState changes places with the hardware's.
[[gnu::noinline]] static void exchange_newer(Vcpu& vcpu) {
    exchange<hw::VdisrEl2>(vcpu.extra.vdisr_el2);
    if (hw::has_sme()) { exchange<hw::Tpidr2El0>(vcpu.extra.tpidr2_el0); }
    if (vcpu.controls.hcr & HcrEl2::pauth.mask) { hw::exchange_keys(vcpu.extra.keys); }
}
static void take_out(Vcpu& vcpu) {
    hw::save_lazy(vcpu.lazy);
    if (hw::has_ras()) [[unlikely]] { exchange_newer(vcpu); }
}

/// Nobody's EL1 state is in the hardware then.
[[gnu::noinline]] static void evict(Core& core) {
    take_out(*core.resident);
    switch_out(core, *core.resident);
    core.resident = core.loaded = nullptr;
}

// What switch_to() does not do itself; it begins anew behind that.

[[gnu::noipa]] static Vcpu* leave_slowly(Core& core, Vcpu& vcpu, Vcpu* next) {
    leave_slowly(vcpu);
    return switch_to(core, next);
}

[[gnu::noipa]] static Vcpu* evict_slowly(Core& core, Vcpu& next) {
    evict(core);
    return core.reschedule ? schedule(core) : switch_to(core, &next);
}

[[gnu::noipa]] static Vcpu* load_slowly(Core& core, Vcpu& next) {
    switch_in(core, next);
    exchange_pmu(core, next);
    core.loaded = &next;
    return switch_to(core, &next);
}

/// It may use every register that does not trap: no VM's values are in the hardware then, and nobody else's.
[[gnu::noipa]] static Vcpu* enter_unconfined(Core& core, Vcpu& next) {
    if (core.resident) { return evict_slowly(core, next); }
    enter_native(core, next, next.context.pstate);
    hw::clear_el1();
    return &next;
}

/// From here on it runs. Who changes its interrupts now asks for a look at them next, which comes as soon as it has begun.
[[gnu::always_inline]] static inline Vcpu* enter_vm(Core& core, Vcpu& next) {
    core.current = &next;
    hw::load_controls(next);
    hw::load_place(next.context, next.context.pstate);
    hw::load_el1(next);
    return &next;
}

/// Something of it was written while it did not run, or its list registers are to be filled.
[[gnu::noipa]] static Vcpu* renew(Core& core, Vcpu& next) {
    hw::write<hw::VmpidrEl2>({next.controls.vmpidr});
    hw::write<hw::CntvoffEl2>({next.controls.cntvoff});
    refill(core, next);
    if (!core.reschedule) { return enter_vm(core, next); }
    exchange_pmu(core, next); // it is not entered after all
    core.loaded = nullptr;
    return schedule(core);
}

Vcpu* switch_to(Core& core, Vcpu* next) {
    if (Vcpu* vcpu = core.current) {
        if (vcpu == next) { return stay(core, *next); }
        core.current = nullptr;
        hw::save_native(vcpu->context);
        if (vcpu->native) {
            core.loaded = nullptr; // it may have taken an exception, which wrote ELR_EL1 and others...
            if (vcpu->context.pstate & 1) [[unlikely]] { hw::save_el1(*vcpu); } // ...just now: its fault will tell
        } else {
            hw::save_el1(*vcpu);
            if (vcpu->leaves_slowly) [[unlikely]] { return leave_slowly(core, *vcpu, next); }
        }
    }
    if (!next) { return nullptr; }
    if (next->native) {
        if (next->unconfined) [[unlikely]] { return enter_unconfined(core, *next); }
        enter_native(core, *next, next->context.pstate);
        if (next->context.pstate & 1) [[unlikely]] { hw::load_el1(*next); }
        return next;
    }
    if (core.loaded != next) {
        if (core.resident != next) {
            if (Vcpu* old = core.resident) {
                if (!is_switched_out(*old)) [[unlikely]] { return evict_slowly(core, *next); }
                take_out(*old);
            }
            forget_translations(core, *next);
            core.resident = next;
            ++core.switches;
            hw::load_lazy(next->lazy);
            if (hw::has_ras()) [[unlikely]] { exchange_newer(*next); }
        }
        hw::write<hw::VmpidrEl2>({next->controls.vmpidr});
        hw::write<hw::CntvoffEl2>({next->controls.cntvoff});
        if (next->leaves_slowly || !is_switched_in(*next)) [[unlikely]] { return load_slowly(core, *next); }
        core.loaded = next;
    }
    if (next->interrupts.is_dirty()) [[unlikely]] { return renew(core, *next); }
    return enter_vm(core, *next);
}

[[gnu::cold]] void write_back(Core& core, Vcpu& vcpu) {
    if (core.fp_owner == &vcpu) {
        hw::write<CptrEl2>(Value<CptrEl2>{vcpu.controls.cptr}.with(CptrEl2::tfp, 0));
        hw::isb(); // FP access from here on
        hw::save_fp(vcpu.fp);
        core.fp_owner = nullptr;
        set_fp_trap(vcpu, true);
        if (core.current) { hw::write<CptrEl2>({core.current->controls.cptr}); }
    }
    if (core.resident != &vcpu) { return; }
    evict(core);
    if (core.current) { hw::write<IchHcrEl2>({core.current->controls.ich_hcr}); } // a native one, whose traps it holds
}

void take_fp(Core& core, Vcpu& vcpu) {
    set_fp_trap(vcpu, false);
    hw::write<CptrEl2>({vcpu.controls.cptr});
    hw::isb(); // FP access from here on
    if (Vcpu* old = core.fp_owner; old && old != &vcpu) {
        hw::save_fp(old->fp);
        set_fp_trap(*old, true);
    }
    if (core.fp_owner != &vcpu) { hw::load_fp(vcpu.fp); }
    core.fp_owner = &vcpu;
}

[[gnu::cold]] void init_vcpu(Vcpu& vcpu, Partition& partition, unsigned index, unsigned core, unsigned priority) {
    constexpr auto cptr =
        Value<CptrEl2>{CptrEl2::res1} | CptrEl2::tfp(1) | CptrEl2::tz(1) | CptrEl2::tsm(1) | CptrEl2::tta(1) | CptrEl2::tam(1);
    constexpr auto common = HcrEl2::vm(1) | HcrEl2::swio(1) | HcrEl2::fmo(1) | HcrEl2::imo(1) | HcrEl2::amo(1) | HcrEl2::twi(1) |
                            HcrEl2::tidcp(1) | HcrEl2::tacr(1) | HcrEl2::tsc(1) | HcrEl2::rw(1) | HcrEl2::tlor(1) | HcrEl2::terr(1);
    constexpr auto guest = common | HcrEl2::fb(1) | HcrEl2::bsu(1) | HcrEl2::tid3(1);
    constexpr auto service =
        common | HcrEl2::dc(1) | HcrEl2::tvm(1) | HcrEl2::trvm(1) | HcrEl2::tid1(1) | HcrEl2::tid2(1) | HcrEl2::tsw(1);
    vcpu.native = partition.kind == abi::PartitionKind::native;
    vcpu.index = static_cast<uint8_t>(index);
    vcpu.tag = abi::Tag::make(abi::Kind{}, 0, 0, index).bits;
    vcpu.core = static_cast<uint8_t>(core);
    vcpu.priority = static_cast<uint8_t>(priority);
    vcpu.state = VcpuState::off;
    vcpu.partition = &partition;
    vcpu.timer_at = abi::no_deadline;
    vcpu.controls.vttbr = partition.stage2.vttbr();
    if (vcpu.native) {
        vcpu.hypercall = ec::hvc64 << 26 | 1u << 25;
        vcpu.controls.hcr = service.bits;
        vcpu.controls.cptr = (cptr | CptrEl2::tcpac(1)).bits;
        vcpu.controls.ich_hcr = (IchHcrEl2::tc(1) | IchHcrEl2::tall0(1) | IchHcrEl2::tall1(1)).bits;
        vcpu.controls.sctlr = native_sctlr, vcpu.controls.vbar = native_vbar;
    } else {
        bool trap_wfe = static_cast<bool>(partition.traps[static_cast<unsigned>(abi::Trap::wfe)].endpoint);
        vcpu.controls.hcr = Value<HcrEl2>{guest.bits}.with(HcrEl2::twe, trap_wfe).bits;
        vcpu.controls.vmpidr = 1ull << 31 | index;
        vcpu.controls.cptr = cptr.bits;
        vcpu.controls.ich_hcr = IchHcrEl2::en(1).bits;
        init_interrupts(vcpu);
    }
    partition.vcpus[index] = &vcpu;
}

[[gnu::cold]] void reset_vcpu(Vcpu& vcpu, uint64_t entry, uint64_t x0, uint64_t x1, uint64_t stack) {
    vcpu.context = {.x = {x0, x1}, .pc = entry, .sp = stack, .pstate = vcpu.native ? native_pstate : vm_pstate};
    vcpu.eager = {};
    vcpu.eager.sctlr_el1 = native_sctlr;
    vcpu.lazy = {}, vcpu.lazy.sp_el1 = stack;
    vcpu.extra = {};
    vcpu.fp = {};
    vcpu.controls.hcr = Value<HcrEl2>{vcpu.controls.hcr}.with(HcrEl2::vse, 0).bits;
    vcpu.standing = static_cast<uint64_t>(VcpuState::off);
    vcpu.unconfined = vcpu.native && !vcpu.partition->confined;
    vcpu.may_repeat = false;
    vcpu.fault = {};
    vcpu.watch_used = 0;
    vcpu.interrupts.wait = {};
}

} // namespace bulkhead
