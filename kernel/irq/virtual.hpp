// SPDX-License-Identifier: MIT
// The virtual interrupts of VMs: their state, which any core may change, and the list registers,
// which only a vCPU's own core fills from it. docs/interrupts.md tells how.
#pragma once
#include "irq/gic.hpp"
#include "lib/lock.hpp"
#include "sched/core.hpp"

namespace bulkhead {

/// A VM's own part: SPIs. In its partition's pages, zeroed when given.
struct VirtualInterrupts {
    void init(unsigned spi_count) { spis = spi_count; }
    bool has(uint64_t intid) const { return intid < first_spi + spis; }

    static constexpr unsigned first_spi = 32, max_spis = abi::max_virtual_intid + 1 - first_spi;
    SpinLock lock; ///< of all words, queues and parked sets of the VM
    uint32_t ctlr; ///< as GICD_CTLR: bits EnableGrp0, EnableGrp1
    uint32_t spis;
    Word spi[max_spis];
};
static_assert(sizeof(VirtualInterrupts) <= page_size);

/// Which one: of vCPU `own` if the INTID is below 32, else `own` does not matter. It exists: the caller has checked.
[[gnu::always_inline]] inline Word& word_of(VirtualInterrupts& vm, Vcpu* own, unsigned intid) {
    return intid < VirtualInterrupts::first_spi ? own->interrupts.word[intid] : vm.spi[intid - VirtualInterrupts::first_spi];
}

/// A change of a VM's virtual interrupts, by any core: holds the lock; at its end, asks the cores
/// of the vCPUs that have something new to look at it.
class InterruptUpdate {
public:
    InterruptUpdate(Core& core, Partition& vm);
    /// By the core of `here`, which is not asked: it knows.
    InterruptUpdate(Core& core, Vcpu& here);
    ~InterruptUpdate();
    InterruptUpdate(const InterruptUpdate&) = delete;
    InterruptUpdate& operator=(const InterruptUpdate&) = delete;

    Word& word(Vcpu* own, unsigned intid) const;
    /// Clears some fields, then sets some; what is in a list register follows later.
    void change(Vcpu* own, unsigned intid, Word clear, Word set);
    /// Out of the queue or the parked set, and (back) to where its state says.
    void lift(unsigned intid, Word& word);
    void place(Vcpu* own, unsigned intid, Word& word);
    /// The list registers of a vCPU are to be filled anew, or as VcpuInterrupts::again says.
    void touch(Vcpu& vcpu, uint8_t what = VcpuInterrupts::fill_anew);

private:
    [[gnu::always_inline]] Vcpu* vcpu(uint64_t index) const { return __atomic_load_n(&vm_.vcpus[index], __ATOMIC_RELAXED); }
    Vcpu* destination(Vcpu* own, unsigned intid, Word word) const;

    Core& core_;
    Partition& vm_;
    uint32_t asked_ = 0; ///< bit per vCPU
    uint32_t silent_ = 0;
};

/// What the input of a virtual interrupt does; the numbers are Hypercall::interrupt_line's.
enum class Line : uint64_t { lower = 0, raise = 1, pulse = 2 };
void set_line(Core& core, Partition& vm, Vcpu* own, unsigned intid, Line level);
/// As Line::pulse, in fewer steps where it finds its interrupt in a list register, in which the last one left it.
void pulse(Core& core, Partition& vm, Vcpu* own, unsigned intid);
/// True if every pending and active state of these interrupts is what the guest sees now; else
/// other cores have been asked: the hypercall of `self` restarts.
bool up_to_date(Core& core, Vcpu& self, Partition& vm, Vcpu* own, unsigned first, unsigned count);

// The rest: only on the vCPU's own core.

void init_interrupts(Vcpu& vcpu);
/// Something would interrupt the vCPU if it ran unmasked: WFI must not block it.
bool deliverable(const Vcpu& vcpu);
/// Before a VM's vCPU runs, with its interrupts.dirty cleared: fills the list registers; sets controls.ich_hcr and ICH_HCR_EL2. Whoever
/// is woken by an interrupt that was in one of them may be more urgent (Core::reschedule).
void refill(Core& core, Vcpu& vcpu);
/// The same, or less if that does, where it runs already. Returns who goes on.
Vcpu* before_guest(Core& core, Vcpu& vcpu);
/// Another core asked (request::interrupts): makes the words tell what the list registers hold, if
/// it wants to know.
void answer_interrupt_request(Core& core, Vcpu& vcpu);
/// The vCPU becomes, or ceases to be, the resident one.
void switch_in(Core& core, Vcpu& vcpu);
void switch_out(Core& core, Vcpu& vcpu);
/// They have nothing to do: no list register is used, and the physical timer is not held for it.
inline bool is_switched_in(const Vcpu& vcpu) { return !is(vcpu.interrupts.word[gic::virtual_timer], VirtualInterrupt::held); }
inline bool is_switched_out(const Vcpu& vcpu) { return vcpu.interrupts.used == 0 && is_switched_in(vcpu); }
/// Nothing is pending or active any more; configuration and input lines stay. core.resident tells
/// whether it is in the hardware.
void reset_interrupts(Core& core, Vcpu& vcpu);
/// The VM goes away: physical interrupts that it holds can fire again, for whoever is bound to them
/// next.
void release_interrupts(Core& core, Partition& vm);

/// A wait ends at its deadline: if that was the virtual timer's, its interrupt comes at once and not by an exit of its own.
void wait_is_over(Core& core, const Vcpu& vcpu, uint64_t time);

// Interrupts just acknowledged; each ends its own.
void vtimer_fired(Core& core);
void maintenance(Core& core);
void physical(Core& core, uint32_t intid); ///< an SPI, or one that is not ours

/// A virtual SError; `syndrome` for VSESR_EL2. The vCPU does not run.
void inject_serror(Vcpu& vcpu, uint64_t syndrome);
/// The PMU of a VM that has one of its own comes into the hardware, or goes back.
void exchange_pmu(Core& core, Vcpu& vcpu);
/// On the way out of a guest of which leaves_slowly is true, before HCR_EL2 changes.
void leave_slowly(Vcpu& vcpu);

} // namespace bulkhead
