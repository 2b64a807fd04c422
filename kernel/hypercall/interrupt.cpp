// SPDX-License-Identifier: MIT
// Hypercalls on interrupts: lines and state of a VM's virtual ones, bindings and acknowledgement of
// physical ones.
#include "hypercall/hypercall.hpp"
#include "irq/gic.hpp"
#include "irq/physical.hpp"
#include "lib/lock.hpp"

namespace bulkhead::hypercall {

using Register = abi::VirtualInterruptRegister;
using VI = VirtualInterrupt;

namespace {

constexpr unsigned first_ppi = 16;

/// The virtual interrupt that a caller names: of a VM, and of its vCPU `own` if it is an SGI or
/// PPI.
struct Named {
    Partition* vm;
    Vcpu* own;
    unsigned intid;
};
Result<Named> find(Partition& vm, uint64_t intid, uint64_t vcpu) {
    if (!vm.interrupts || !vm.interrupts->has(intid)) {
        return Status::bad_argument;
    }
    if (intid >= VirtualInterrupts::first_spi) {
        return Named{&vm, nullptr, static_cast<unsigned>(intid)};
    }
    Vcpu* own = vcpu < max_vcpus_per_partition ? __atomic_load_n(&vm.vcpus[vcpu], __ATOMIC_RELAXED)
                                               : nullptr;
    if (!own) {
        return Status::bad_argument;
    }
    return Named{&vm, own, static_cast<unsigned>(intid)};
}

/// How many interrupts an access to a register covers; each has 32 / count bits of the value.
unsigned count_of(Register reg) {
    switch (reg) {
    case Register::priority:
        return 4;
    case Register::config:
        return 16;
    case Register::route:
        return 1;
    default:
        return 32;
    }
}

uint64_t field_of(Register reg, Word w) {
    switch (reg) {
    case Register::group:
        return w.get(VI::group1);
    case Register::enable_set:
    case Register::enable_clear:
        return w.get(VI::enabled);
    case Register::pending_set:
    case Register::pending_clear:
        return is_pending(w);
    case Register::active_set:
    case Register::active_clear:
        return is_active(w);
    case Register::priority:
        return w.get(VI::priority);
    case Register::config:
        return w.get(VI::edge) << 1;
    default:
        return w.get(VI::target);
    }
}

struct Change {
    Word clear, set;
};
/// What writing `value` to a field does; nothing where only ones act and it is zero.
Change change_of(Register reg, uint64_t value) {
    Word none;
    switch (reg) {
    case Register::group:
        return {VI::group1(1), none.with(VI::group1, value)};
    case Register::enable_set:
        return {none, none.with(VI::enabled, value)};
    case Register::enable_clear:
        return {none.with(VI::enabled, value), none};
    case Register::pending_set:
        return {none, none.with(VI::latch, value)};
    case Register::pending_clear:
        return {none.with(VI::latch, value), none};
    case Register::active_set:
        return {none, none.with(VI::active, value)};
    case Register::active_clear:
        return {none.with(VI::active, value), none};
    case Register::priority:
        return {VI::priority(0xff), none.with(VI::priority, value)};
    case Register::config:
        return {VI::edge(1), none.with(VI::edge, value >> 1)};
    default:
        return {VI::target(0xff), none.with(VI::target, value)};
    }
}

uint64_t exchange_fields(Core& core, const Named& first, Register reg, uint64_t value) {
    unsigned count = count_of(reg), bits = 32 / count;
    uint64_t mask = (1ull << bits) - 1, before = 0;
    InterruptUpdate update(core, *first.vm);
    for (unsigned i = 0; i < count; ++i) {
        unsigned intid = first.intid + i;
        before |= field_of(reg, update.word(first.own, intid)) << i * bits;
        auto change = change_of(reg, value >> i * bits & mask);
        update.change(first.own, intid, change.clear, change.set);
    }
    return before;
}

uint64_t exchange_ctlr(Core& core, Partition& vm, uint64_t value) {
    constexpr uint32_t enables = 3;
    InterruptUpdate update(core, vm);
    uint64_t before = vm.interrupts->ctlr;
    vm.interrupts->ctlr = static_cast<uint32_t>(value) & enables;
    for (unsigned i = 0; i < max_vcpus_per_partition && before != vm.interrupts->ctlr; ++i) {
        update.touch(i);
    }
    return before;
}

} // namespace

HypercallResult interrupt_line(Core& core, Vcpu& self, const Arguments& arguments) {
    auto vm = TRY(self.partition->lookup<Partition>(arguments.x[0], abi::right::interrupt_line));
    uint64_t intid = arguments.x[1], range = vm.capability->badge;
    auto named = TRY(find(*vm, intid, arguments.x[2]));
    if (intid < first_ppi || arguments.x[3] > static_cast<uint64_t>(Line::pulse)) {
        return Status::bad_argument;
    }
    if (intid < (range & 0xffff) || intid > (range >> 16 & 0xffff)) {
        return Status::no_right;
    }
    set_line(core, *vm, named.own, named.intid, static_cast<Line>(arguments.x[3]));
    return 0;
}

HypercallResult interrupt_state(Core& core, Vcpu& self, const Arguments& arguments) {
    auto vm =
        TRY(self.partition->lookup<Partition>(arguments.x[0], abi::right::configure_interrupts));
    auto reg = static_cast<Register>(arguments.x[1]);
    if (arguments.x[1] > static_cast<uint64_t>(Register::ctlr)) {
        return Status::bad_argument;
    }
    if (reg == Register::ctlr) {
        if (!vm->interrupts) {
            return Status::bad_argument;
        }
        return exchange_ctlr(core, *vm, arguments.x[4]);
    }
    auto first = TRY(find(*vm, arguments.x[3], arguments.x[2]));
    unsigned count = count_of(reg);
    if (first.intid % count != 0 || (reg == Register::route && first.own)) {
        return Status::bad_argument;
    }
    bool moves = reg >= Register::pending_set && reg <= Register::active_clear;
    if (moves && !up_to_date(core, self, *vm, first.own, first.intid, count)) {
        return restart;
    }
    return exchange_fields(core, first, reg, arguments.x[4]);
}

HypercallResult interrupt_bind(Core& core, Vcpu& self, const Arguments& arguments) {
    auto interrupt = TRY(self.partition->lookup<Interrupt>(arguments.x[0], abi::right::bind));
    TryLock lock(mutation);
    if (!lock) {
        return restart;
    }
    if (arguments.x[3] > 1) {
        return Status::bad_argument;
    }
    if (arguments.x[3] == 1) {
        auto vm = TRY(
            self.partition->lookup<Partition>(arguments.x[1], abi::right::configure_interrupts));
        Status status = bind_to_vm(core, *interrupt, vm.capability->object, arguments.x[2]);
        return status == Status::ok ? HypercallResult{0} : status;
    }
    auto notification =
        TRY(self.partition->lookup<Notification>(arguments.x[1], abi::right::serve));
    if (arguments.x[2] >= 64) {
        return Status::bad_argument;
    }
    bind_to_notification(core, *interrupt, notification.capability->object,
                         static_cast<unsigned>(arguments.x[2]));
    return 0;
}

HypercallResult interrupt_control(Core&, Vcpu& self, const Arguments& arguments) {
    constexpr uint64_t acknowledge = 0, mask = 1, unmask = 2;
    auto interrupt =
        TRY(self.partition->lookup<Interrupt>(arguments.x[0], abi::right::acknowledge));
    switch (arguments.x[1]) {
    case acknowledge:
        if (__atomic_exchange_n(&interrupt->active, false, __ATOMIC_ACQ_REL)) {
            gic::deactivate(interrupt->intid);
        }
        return 0;
    case mask:
        gic::mask(interrupt->intid);
        return 0;
    case unmask:
        gic::unmask(interrupt->intid);
        return 0;
    default:
        return Status::bad_argument;
    }
}

} // namespace bulkhead::hypercall
