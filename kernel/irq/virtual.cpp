// SPDX-License-Identifier: MIT
// Changes of virtual interrupts, by any core: where each belongs after every change of its word.
#include "irq/virtual.hpp"
#include "irq/gic.hpp"
#include "sched/cross.hpp"

namespace bulkhead {

using VI = VirtualInterrupt;

/// The physical SPI may fire again when the virtual one is neither pending nor active.
static void settle(unsigned intid, Word& w) {
    const bool idle = are(w, VI::held(1) | VI::latch(1) | VI::active(1) | VI::listed(1), VI::held(1));
    if (intid < VirtualInterrupts::first_spi || !idle) { return; }
    gic::deactivate(static_cast<uint32_t>(w.get(VI::pintid)));
    w = w.with(VI::held, 0);
}

InterruptUpdate::InterruptUpdate(Core& core, Partition& vm) : core_(core), vm_(vm) { vm.interrupts->lock.lock(); }
InterruptUpdate::InterruptUpdate(Core& core, Vcpu& here) : InterruptUpdate(core, *here.partition) { silent_ = 1u << here.index; }
InterruptUpdate::~InterruptUpdate() {
    vm_.interrupts->lock.unlock();
    for (uint32_t left = asked_ & ~silent_; left; left &= left - 1) {
        if (Vcpu* asked = vcpu(static_cast<unsigned>(__builtin_ctz(left)))) { ask(core_, *asked, request::interrupts); }
    }
}

Word& InterruptUpdate::word(Vcpu* own, unsigned intid) const { return word_of(*vm_.interrupts, own, intid); }

void InterruptUpdate::touch(Vcpu& touched, uint8_t what) {
    touched.interrupts.dirty.fetch_or(what, std::memory_order_release); // its core stores to it without the lock
    asked_ |= 1u << touched.index;
}

/// The vCPU that takes it, or nobody. An SPI for any vCPU goes to the first one that is not off.
Vcpu* InterruptUpdate::destination(Vcpu* own, unsigned intid, Word w) const {
    if (intid < VirtualInterrupts::first_spi) { return own; }
    uint64_t target = w.get(VI::target);
    if (target != any_vcpu) { return target < max_vcpus_per_partition ? vcpu(target) : nullptr; }
    for (unsigned i = 0; i < max_vcpus_per_partition; ++i) {
        if (Vcpu* one = vcpu(i); one && one->state != VcpuState::off) { return one; } // read once: another core may take it away
    }
    return vcpu(0);
}

void InterruptUpdate::lift(unsigned intid, Word& w) {
    if (!is(w, VI::queued) && !is(w, VI::parked)) { return; }
    if (Vcpu* holder = vcpu(w.get(VI::holder))) {
        if (is(w, VI::queued)) { holder->interrupts.queue.remove(level_of(w), intid); }
        if (is(w, VI::parked)) { holder->interrupts.parked.remove(intid); }
    }
    w = w.with(VI::queued, 0); // `parked` stays: who has acknowledged it must end it
}

void InterruptUpdate::place(Vcpu* own, unsigned intid, Word& w) {
    settle(intid, w);
    constexpr Word acknowledged = VI::active(1) | VI::parked(1);
    const Word state = w;
    Vcpu* holder = are(state, acknowledged, acknowledged) ? vcpu(state.get(VI::holder)) : destination(own, intid, state);
    w = w.with(VI::parked, 0);
    if (!holder || !(is(state, VI::active) || (is_open(state) && is_pending(state)))) { return; }
    w = w.with(VI::holder, holder->index);
    if (is(state, VI::active)) {
        w = w | VI::parked(1);
        holder->interrupts.parked.insert(intid);
    } else {
        w = w | VI::queued(1);
        holder->interrupts.queue.insert(level_of(state), intid);
    }
    touch(*holder);
}

void InterruptUpdate::change(Vcpu* own, unsigned intid, Word clear, Word set) {
    Word& w = word(own, intid);
    const bool listed = is(w, VI::listed);
    if (listed) { // what it took along is cleared when it comes back
        set = set | Word{}.with(VI::cancel_latch, clear.get(VI::latch)).with(VI::cancel_active, clear.get(VI::active));
    }
    const uint64_t changed = ((w.bits & ~clear.bits) | set.bits) ^ w.bits;
    if (changed == 0) { return; }
    if (!listed) { lift(intid, w); }
    w.bits = (w.bits & ~clear.bits) | set.bits;
    if (!listed) { return place(own, intid, w); }
    const bool again = changed == VI::latch(1).bits;
    touch(*vcpu(w.get(VI::holder)), again ? VcpuInterrupts::again(w.get(VI::list_register)) : VcpuInterrupts::fill_anew);
}

void set_line(Core& core, Partition& vm, Vcpu* own, unsigned intid, Line level) {
    InterruptUpdate update(core, vm);
    Word before = update.word(own, intid);
    if (level == Line::lower) { return update.change(own, intid, VI::line(1), {}); }
    if (level == Line::pulse) { return update.change(own, intid, {}, VI::latch(1)); }
    bool rises = is(before, VI::edge) && !is(before, VI::line);
    update.change(own, intid, {}, VI::line(1) | Word{}.with(VI::latch, rises));
}

void pulse(Core& core, Partition& vm, Vcpu* own, unsigned intid) {
    VirtualInterrupts& all = *vm.interrupts;
    all.lock.lock();
    Word& w = word_of(all, own, intid);
    if (!is(w, VI::listed) || is(w, VI::latch)) {
        all.lock.unlock();
        return set_line(core, vm, own, intid, Line::pulse);
    }
    Vcpu& holder = *vm.vcpus[w.get(VI::holder)]; // who has one does not go
    w = w | VI::latch(1);
    holder.interrupts.dirty.fetch_or(VcpuInterrupts::again(w.get(VI::list_register)), std::memory_order_relaxed);
    all.lock.unlock();
    ask(core, holder, request::interrupts);
}

void init_interrupts(Vcpu& vcpu) {
    constexpr unsigned sgis = 16;
    for (unsigned i = 0; i < sgis; ++i) { vcpu.interrupts.word[i] = VI::edge(1); }
    vcpu.interrupts.word[gic::virtual_timer] = VI::linked(1) | VI::pintid(gic::virtual_timer);
    vcpu.interrupts.word[gic::pmu] = VI::linked(1) | VI::pintid(gic::pmu);
}

void release_interrupts(Core& core, Partition& vm) {
    InterruptUpdate update(core, vm);
    for (const Word w : vm.interrupts->spi) { // one step: hardly any is
        if (is(w, VI::held)) { gic::deactivate(static_cast<uint32_t>(w.get(VI::pintid))); }
    }
}

} // namespace bulkhead
