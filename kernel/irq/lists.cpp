// SPDX-License-Identifier: MIT
// The list registers of this core: a cache of the most urgent virtual interrupts of the resident
// vCPU. They are taken back (folded) into the words as a whole, and filled anew from them; what is
// only pending again goes straight back into its own.
#include "ipc/message.hpp"
#include "irq/gic.hpp"
#include "irq/virtual.hpp"
#include "sched/cross.hpp"
#include "sched/scheduler.hpp"
#include "switch.hpp"

namespace bulkhead {

using VI = VirtualInterrupt;

namespace {

constexpr unsigned timer = gic::virtual_timer;

bool group1_enabled(const Vcpu& vcpu) { return vcpu.partition->interrupts->ctlr & 2; }

/// What the guest did to one list register.
void take_back(InterruptUpdate& update, Vcpu& vcpu, unsigned intid, Value<IchLr> lr) {
    Word& w = update.word(&vcpu, intid);
    uint64_t state = lr.get(IchLr::state);
    bool latch = state & IchLr::pending && is(w, VI::loaded_latch) && !is(w, VI::cancel_latch);
    bool active = state & IchLr::active && !is(w, VI::cancel_active);
    if (lr.get(IchLr::hw) && state != IchLr::invalid) {
        auto pintid = lr.get(IchLr::pintid);
        bool linked = is(w, VI::linked) && w.get(VI::pintid) == pintid;
        w = w.with(VI::held, linked);
        if (!linked) { gic::deactivate(static_cast<uint32_t>(pintid)); } // it was, till now
    }
    constexpr Word away = VI::listed(1) | VI::loaded_latch(1) | VI::loaded_active(1) | VI::cancel_latch(1) | VI::cancel_active(1);
    w.bits &= ~away.bits;
    w = w | Word{}.with(VI::latch, latch).with(VI::active, active).with(VI::parked, active);
    update.place(&vcpu, intid, w);
}

/// The most urgent of the parked ones; looks at as many as a guest can nest.
unsigned best_parked(const InterruptUpdate& update, Vcpu& vcpu) {
    const IntidSet& parked = vcpu.interrupts.parked;
    unsigned best = parked.next(0), next = best;
    for (unsigned looks = priority_levels; looks && next != IntidSet::end; --looks) {
        if (level_of(update.word(&vcpu, next)) < level_of(update.word(&vcpu, best))) { best = next; }
        next = parked.next(next + 1);
    }
    return best;
}

/// The guest ended interrupts that were not in a list register: the most urgent ones, as EOIs nest.
void end_parked(InterruptUpdate& update, Vcpu& vcpu) {
    auto control = hw::read<IchHcrEl2>();
    for (uint64_t n = control.get(IchHcrEl2::eoi_count); n && !vcpu.interrupts.parked.empty(); --n) {
        update.change(&vcpu, best_parked(update, vcpu), VI::active(1), {});
    }
    hw::write<IchHcrEl2>(control.with(IchHcrEl2::eoi_count, 0));
}

/// Returns how many list registers are to be written or zeroed.
unsigned fold(InterruptUpdate& update, Vcpu& vcpu) {
    auto& own = vcpu.interrupts;
    unsigned used = own.used;
    own.used = 0;
    if (used && !own.parked.empty()) { end_parked(update, vcpu); }
    for (unsigned n = 0; n < used; ++n) { take_back(update, vcpu, own.listed[n], {hw::read_lr(n)}); }
    return used;
}

void zero(unsigned from, unsigned to) {
    for (unsigned n = from; n < to; ++n) { hw::write_lr(n, 0); }
}

void empty(InterruptUpdate& update, Vcpu& vcpu) {
    zero(0, fold(update, vcpu));
    update.touch(vcpu);
}

/// Into the next list register; the word then says that it is there.
void load(InterruptUpdate& update, Vcpu& vcpu, unsigned intid) {
    auto& own = vcpu.interrupts;
    Word& w = update.word(&vcpu, intid);
    update.lift(intid, w);
    bool active = is(w, VI::active);
    bool takes_latch = is(w, VI::latch) && is_open(w) && group1_enabled(vcpu);
    uint64_t latch = takes_latch ? 1 : 0;
    uint64_t state = active ? latch ? IchLr::pending_active : IchLr::active : IchLr::pending;
    auto lr = (Value<IchLr>{intid} | IchLr::group(1)).with(IchLr::priority, w.get(VI::priority)).with(IchLr::state, state);
    if (is(w, VI::held) && state != IchLr::pending_active) {
        lr = lr.with(IchLr::hw, 1).with(IchLr::pintid, w.get(VI::pintid));
        w = w.with(VI::held, 0); // the list register holds it; the guest's EOI lets it go
    } else if (is_high(w) || is(w, VI::held)) {
        lr = lr.with(IchLr::eoi, 1); // to raise it again, or to end the physical one
    }
    hw::write_lr(own.used, lr.bits);
    w = w.with(VI::list_register, own.used);
    own.listed[own.used++] = static_cast<uint16_t>(intid);
    w = w.with(VI::latch, w.get(VI::latch) ^ latch).with(VI::active, 0).with(VI::parked, 0);
    w = w.with(VI::listed, 1).with(VI::loaded_latch, latch).with(VI::loaded_active, active);
    w = w.with(VI::holder, vcpu.index);
}

/// Fills the empty list registers and says which maintenance interrupts are needed. Active ones go
/// first, so that the guest's EOI finds them; one register is for what is pending, so that it can
/// preempt.
Value<IchHcrEl2> fill(const Core& core, InterruptUpdate& update, Vcpu& vcpu) {
    auto& own = vcpu.interrupts;
    bool some = group1_enabled(vcpu) && !own.queue.empty();
    while (own.used + some < core.list_registers && !own.parked.empty()) { load(update, vcpu, best_parked(update, vcpu)); }
    while (own.used < core.list_registers && some) {
        load(update, vcpu, own.queue.best());
        some = !own.queue.empty();
    }
    Value<IchHcrEl2> control{vcpu.controls.ich_hcr};
    bool active_left = !own.parked.empty();
    return control.with(IchHcrEl2::en, 1)
        .with(IchHcrEl2::npie, some)
        .with(IchHcrEl2::uie, active_left)
        .with(IchHcrEl2::lrenpie, active_left);
}

/// The physical timer interrupt can fire again when the virtual one is neither pending nor active.
void free_timer(const Core& core, Vcpu& vcpu) {
    Word& w = vcpu.interrupts.word[timer];
    if (!is(w, VI::held) || is(w, VI::latch) || is(w, VI::active)) { return; }
    w = w.with(VI::held, 0);
    if (core.resident == &vcpu) { gic::set_active(core, timer, false); }
}

/// The physical PMU interrupt is active while the virtual one is pending or active, and may be another VM's till now.
void settle_pmu_interrupt(Core& core, Vcpu& vcpu) {
    InterruptUpdate update(core, vcpu);
    Word& w = vcpu.interrupts.word[gic::pmu];
    if (is(w, VI::listed)) { return; }
    if (!is(w, VI::latch) && !is(w, VI::active)) { w = w.with(VI::held, 0); }
    gic::set_active(core, gic::pmu, is(w, VI::held));
}

/// A timer interrupt that still waits is withdrawn if the guest has turned its timer off: its state
/// is in the hardware or, behind a service, saved.
void withdraw_timer(InterruptUpdate& update, Vcpu& vcpu) {
    constexpr uint64_t enabled_and_due = 5, ctl = 7;
    if (!is(vcpu.interrupts.word[timer], VI::held)) { return; }
    if ((vcpu.eager.cntv_ctl_el0 & ctl) == enabled_and_due) { return; }
    if ((hw::read<hw::CntvCtl>().bits & ctl) == enabled_and_due) { return; }
    update.change(&vcpu, timer, VI::latch(1), {});
}

/// Of a listed interrupt's word: the bits that ask for a change of its list register, and those without which it must leave it.
constexpr Word moves = VI::line(1) | VI::latch(1) | VI::active(1) | VI::held(1) | VI::cancel_latch(1) | VI::cancel_active(1);
constexpr Word is_loaded = VI::enabled(1) | VI::group1(1) | VI::listed(1);

/// A linked interrupt whose last one the guest has ended; no other core changes list registers, and the word stays as it is.
bool raise_again(const Vcpu& vcpu, unsigned intid) {
    constexpr Word same = is_loaded | VI::linked(1) | VI::loaded_latch(1);
    const Word w = vcpu.interrupts.word[intid];
    if (!are(w, moves | same | VI::loaded_active(1), same) || !group1_enabled(vcpu)) { return false; }
    const auto n = static_cast<unsigned>(w.get(VI::list_register));
    const Value<IchLr> lr{hw::read_lr(n)};
    if (lr.get(IchLr::state) != IchLr::invalid || !lr.get(IchLr::hw)) { return false; }
    hw::write_lr(n, lr.with(IchLr::state, IchLr::pending).bits);
    return true;
}

} // namespace

bool deliverable(const Vcpu& vcpu) {
    constexpr uint64_t veng1 = 2, vpmr_shift = 24;
    const auto& own = vcpu.interrupts;
    if (vcpu.controls.hcr & HcrEl2::vse.mask) { return true; }
    if (own.used && own.is_dirty()) { return true; } // its line rose again: what is due shows when it runs
    const bool listed = own.used && ~hw::read<hw::IchElrsr>().bits & ((1u << own.used) - 1);
    if (!listed && own.queue.empty()) { return false; }
    uint64_t urgent = group1_enabled(vcpu) && !own.queue.empty() ? own.queue.level() * priority_step : 0x100; // none
    for (unsigned n = 0; n < own.used; ++n) {
        Value<IchLr> lr{hw::read_lr(n)};
        if (lr.get(IchLr::state) & IchLr::pending) { urgent = std::min(urgent, lr.get(IchLr::priority)); }
    }
    uint64_t vmcr = Core::self().resident == &vcpu ? hw::read<hw::IchVmcr>().bits : vcpu.lazy.ich_vmcr;
    return vmcr & veng1 && urgent < (vmcr >> vpmr_shift & 0xff);
}

void refill(Core& core, Vcpu& vcpu) {
    InterruptUpdate update(core, vcpu);
    unsigned stale = fold(update, vcpu);
    withdraw_timer(update, vcpu);
    free_timer(core, vcpu);
    auto control = fill(core, update, vcpu);
    zero(vcpu.interrupts.used, stale);
    vcpu.controls.ich_hcr = control.bits;
    hw::write<IchHcrEl2>(control);
    if (vcpu.controls.hcr & HcrEl2::vse.mask && hw::has_ras()) { hw::write<hw::VsesrEl2>({vcpu.interrupts.serror_syndrome}); }
    vcpu.interrupts.dirty.store(0, std::memory_order_relaxed);
}

/// noinline: the short way needs no frame for it. What a list register held may go to somebody more urgent.
[[gnu::noinline]] static Vcpu* fold_and_fill(Core& core, Vcpu& vcpu) {
    refill(core, vcpu);
    return core.reschedule ? schedule(core) : &vcpu;
}

/// An edge that is pending again, and still has its list register, goes back into it, if nothing else is to be done.
Vcpu* before_guest(Core& core, Vcpu& vcpu) {
    auto& own = vcpu.interrupts;
    VirtualInterrupts& all = *vcpu.partition->interrupts;
    const unsigned dirty = own.dirty.exchange(0, std::memory_order_acquire);
    const bool more = dirty <= VcpuInterrupts::fill_anew || dirty & (dirty - 1) || vcpu.controls.ich_hcr != IchHcrEl2::en(1).bits;
    if (more || !own.used || is(own.word[timer], VI::held)) { return fold_and_fill(core, vcpu); }
    const auto n = static_cast<unsigned>(__builtin_ctz(dirty / VcpuInterrupts::again(0)));
    const Value<IchLr> lr{hw::read_lr(n)};
    all.lock.lock();
    const unsigned intid = own.listed[n];
    Word& w = word_of(all, &vcpu, intid);
    const bool again = are(w, moves | is_loaded, is_loaded | VI::latch(1)) && all.ctlr & 2;
    if (again && !(lr.bits & IchLr::hw.mask) && !(lr.bits & IchLr::eoi.mask)) {
        w = w.with(VI::latch, 0).with(VI::loaded_latch, 1).with(VI::loaded_active, lr.get(IchLr::state) >> 1);
        all.lock.unlock();
        hw::write_lr(n, lr.bits | IchLr::pending << IchLr::state.shift);
        return &vcpu;
    }
    all.lock.unlock();
    return fold_and_fill(core, vcpu);
}

void answer_interrupt_request(Core& core, Vcpu& vcpu) {
    if (!vcpu.interrupts.wants_fold()) { return; } // ask() is the barrier
    InterruptUpdate update(core, vcpu);
    empty(update, vcpu);
    vcpu.interrupts.fold_wanted.store(false, std::memory_order_release);
}

void switch_in(Core& core, Vcpu& vcpu) {
    if (is(vcpu.interrupts.word[timer], VI::held)) { gic::set_active(core, timer, true); }
    if (vcpu.controls.hcr & HcrEl2::vse.mask) { vcpu.interrupts.dirty.store(true, std::memory_order_relaxed); }
}

void switch_out(Core& core, Vcpu& vcpu) {
    if (vcpu.interrupts.used) {
        InterruptUpdate update(core, vcpu);
        zero(0, fold(update, vcpu));
    }
    hw::write<IchHcrEl2>({}); // no count of EOIs for who comes next, and no maintenance interrupt while nobody does
    if (is(vcpu.interrupts.word[timer], VI::held)) { gic::set_active(core, timer, false); }
}

void maintenance(Core& core) {
    gic::drop_priority(gic::maintenance);
    Vcpu* vcpu = core.resident;
    if (vcpu && (core.current == vcpu || !core.current)) {
        InterruptUpdate update(core, *vcpu);
        empty(update, *vcpu);
        hw::write<IchHcrEl2>(IchHcrEl2::en(1)); // no reason is left; before_guest finds new ones
        hw::isb();                              // before the interrupt can fire again
    }
    gic::deactivate(gic::maintenance);
}

void wait_is_over(Core& core, const Vcpu& vcpu, uint64_t time) {
    if (core.resident != &vcpu || virtual_timer_deadline(vcpu) > time || !raise_again(vcpu, timer)) { return; }
    gic::set_active(core, timer, true);
}

void vtimer_fired(Core& core) {
    gic::drop_priority(timer);
    Vcpu* vcpu = core.current;
    if (!vcpu || vcpu != core.resident) { // late: the timer that fired is not loaded any more
        hw::write<hw::CntvCtl>({});
        hw::isb(); // before the interrupt can fire again
        gic::deactivate(timer);
        return;
    }
    if (!raise_again(*vcpu, timer)) { InterruptUpdate(core, *vcpu).change(vcpu, timer, {}, VI::latch(1) | VI::held(1)); }
}

void reset_interrupts(Core& core, Vcpu& vcpu) {
    InterruptUpdate update(core, vcpu);
    empty(update, vcpu);
    auto& own = vcpu.interrupts;
    constexpr Word any = VI::line(1) | VI::latch(1) | VI::active(1) | VI::queued(1) | VI::parked(1);
    for (unsigned i = 0; i < VirtualInterrupts::first_spi; ++i) {
        if (!(own.word[i].bits & any.bits)) { continue; }
        update.lift(i, own.word[i]);
        own.word[i].bits &= ~(VI::latch(1) | VI::active(1) | VI::parked(1)).bits;
        if (is_high(own.word[i])) { update.place(&vcpu, i, own.word[i]); }
    }
    // Nobody else would end the SPIs that it has acknowledged. (More of them than it can nest: the gic service's reset
    // ends them.)
    for (unsigned left = priority_levels; left && !own.parked.empty(); --left) {
        update.change(nullptr, own.parked.next(0), VI::active(1), {});
    }
    free_timer(core, vcpu);
}

void inject_serror(Vcpu& vcpu, uint64_t syndrome) {
    vcpu.interrupts.serror_syndrome = syndrome;
    vcpu.controls.hcr |= HcrEl2::vse.mask;
    vcpu.leaves_slowly = true;
    Destination::forget_all();
    vcpu.interrupts.dirty.store(true, std::memory_order_relaxed);
}

void exchange_pmu(Core& core, Vcpu& vcpu) {
    if (!vcpu.own_pmu) { return; }
    settle_pmu_interrupt(core, vcpu);
    hw::exchange_pmu(vcpu.extra.pmu);
    hw::write<MdcrEl2>({hw::read<MdcrEl2>().bits ^ (MdcrEl2::tpm.mask | MdcrEl2::tpmcr.mask)}); // its turn to trap, or its end
}

void leave_slowly(Vcpu& vcpu) {
    // Taking the vSError has cleared its bit.
    if (vcpu.controls.hcr & HcrEl2::vse.mask) { vcpu.controls.hcr &= hw::read<HcrEl2>().bits | ~HcrEl2::vse.mask; }
    Core& core = Core::self();
    exchange_pmu(core, vcpu);
    core.loaded = nullptr;
}

/// Asks the cores of the vCPUs that have some of these in their list registers, once; then waits.
bool up_to_date(Core& core, Vcpu& self, Partition& vm, Vcpu* own, unsigned first, unsigned count) {
    auto& wait = self.interrupts.wait;
    bool asking = wait.vm != &vm || wait.asked == 0;
    if (asking) {
        wait = {&vm, 0};
        InterruptUpdate update(core, vm);
        for (unsigned i = first; i < first + count; ++i) {
            Word w = update.word(own, i);
            if (is(w, VI::listed)) { wait.asked |= 1u << w.get(VI::holder); }
        }
    }
    for (uint32_t left = wait.asked; left; left &= left - 1) {
        Vcpu* vcpu = __atomic_load_n(&vm.vcpus[__builtin_ctz(left)], __ATOMIC_RELAXED);
        if (vcpu && asking) {
            vcpu->interrupts.fold_wanted.store(true, std::memory_order_release);
            ask(core, *vcpu, request::interrupts);
        }
        if (!vcpu || !vcpu->interrupts.fold_wanted.load(std::memory_order_acquire)) { wait.asked &= ~(left & -left); }
    }
    return wait.asked == 0;
}

} // namespace bulkhead
