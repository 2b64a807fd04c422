// SPDX-License-Identifier: MIT
// Physical interrupt lines: to which object each belongs, and the way of an interrupt to a
// notification or a VM.
#include "irq/physical.hpp"
#include "ipc/ipc.hpp"
#include "irq/gic.hpp"

namespace bulkhead {

using VI = VirtualInterrupt;

static ObjectRef owners[gic::last_intid + 1]; ///< Interrupt objects, by INTID

/// Its line is masked, so that nobody looks at the bindings meanwhile; an interrupt in progress is
/// over.
static void unbind(Core& core, Interrupt& interrupt) {
    gic::mask(interrupt.intid);
    if (Slot* vm = objects.find(interrupt.vm)) {
        constexpr Word gone = VI::latch(1) | VI::active(1) | VI::linked(1);
        InterruptUpdate(core, *vm->partition).change(nullptr, interrupt.signal, gone, {});
    }
    acknowledge(interrupt);
    interrupt.vm = interrupt.notification = {};
}

/// Fires: stays active, and so silent, until it is acknowledged or the guest ends the virtual one. False: nobody is bound to it.
static bool deliver(Core& core, Interrupt& interrupt) {
    if (Slot* bell = objects.find(interrupt.notification)) {
        __atomic_store_n(&interrupt.active, true, __ATOMIC_RELEASE);
        notify(core, bell->notification, 1ull << interrupt.signal);
    } else if (Slot* vm = objects.find(interrupt.vm)) {
        InterruptUpdate(core, *vm->partition).change(nullptr, interrupt.signal, {}, VI::latch(1) | VI::held(1));
    } else {
        return false;
    }
    return true;
}

void acknowledge(Interrupt& interrupt) {
    if (__atomic_exchange_n(&interrupt.active, false, __ATOMIC_ACQ_REL)) { gic::deactivate(interrupt.intid); }
}

[[gnu::section(".text.boot")]] bool own_line(Slot& slot) {
    Interrupt& interrupt = slot.interrupt;
    if (!gic::has_spi(interrupt.intid)) { return false; }
    gic::configure(interrupt.intid, interrupt.edge, interrupt.core);
    owners[interrupt.intid] = objects.ref(slot);
    return true;
}

void bind_to_notification(Core& core, Interrupt& interrupt, ObjectRef notification, unsigned signal_bit) {
    unbind(core, interrupt);
    interrupt.signal = signal_bit;
    interrupt.notification = notification;
    gic::unmask(interrupt.intid);
}

Status bind_to_vm(Core& core, Interrupt& interrupt, ObjectRef vm, uint64_t intid) {
    Partition& partition = *objects.at(vm.index()).partition;
    bool is_spi = intid >= VirtualInterrupts::first_spi && partition.interrupts && partition.interrupts->has(intid);
    if (!is_spi) { return Status::bad_argument; }
    auto spi = static_cast<unsigned>(intid);
    bool same = interrupt.vm == vm && interrupt.signal == spi;
    if (is(InterruptUpdate(core, partition).word(nullptr, spi), VI::linked) && !same) { return Status::bad_state; }
    unbind(core, interrupt);
    Word link = VI::linked(1) | Word{}.with(VI::pintid, interrupt.intid);
    InterruptUpdate(core, partition).change(nullptr, spi, VI::pintid(0x3ff), link);
    interrupt.signal = spi;
    interrupt.vm = vm;
    gic::unmask(interrupt.intid);
    return Status::ok;
}

void physical(Core& core, uint32_t intid) {
    gic::drop_priority(intid);
    Slot* slot = intid >= gic::first_spi && intid <= gic::last_intid ? objects.find(owners[intid]) : nullptr;
    if (slot && deliver(core, slot->interrupt)) { return; }
    if (Vcpu* vcpu = core.current; intid == gic::pmu && vcpu && vcpu->own_pmu) {
        return InterruptUpdate(core, *vcpu).change(vcpu, intid, {}, VI::latch(1) | VI::held(1));
    }
    if (intid >= gic::first_spi) { gic::mask(intid); } // nobody is there to quiet its device
    gic::deactivate(intid);
}

} // namespace bulkhead
