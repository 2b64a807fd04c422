// SPDX-License-Identifier: MIT
// Hypercalls on interrupts: lines and state of a VM's virtual ones, bindings and acknowledgement of
// physical ones.
#include "hypercall/hypercall.hpp"
#include "irq/gic.hpp"
#include "irq/physical.hpp"
#include <algorithm>

namespace bulkhead::hypercall {

using Register = abi::VirtualInterruptRegister;
using VI = VirtualInterrupt;

namespace {

/// What a register accesses of each word that it covers.
struct Access {
    unsigned lsb, width; ///< of the field in the word
    enum { assign, set, clear } ones;
    unsigned count = 32; ///< interrupts covered: each has 32 / count bits of the value, of which
    unsigned unused = 0; ///< the lowest mean nothing
    uint64_t value_of(Word w, Register reg) const {
        if (reg == Register::pending_set || reg == Register::pending_clear) { return is_pending(w); }
        if (reg == Register::active_set || reg == Register::active_clear) { return is_active(w); }
        return (w.bits >> lsb & ((1u << width) - 1)) << unused;
    }
};
/// By abi::VirtualInterruptRegister.
constexpr Access accesses[] = {{VI::group1.shift, 1, Access::assign},      {VI::enabled.shift, 1, Access::set},
                               {VI::enabled.shift, 1, Access::clear},      {VI::latch.shift, 1, Access::set},
                               {VI::latch.shift, 1, Access::clear},        {VI::active.shift, 1, Access::set},
                               {VI::active.shift, 1, Access::clear},       {VI::priority.shift, 8, Access::assign, 4},
                               {VI::edge.shift, 1, Access::assign, 16, 1}, {VI::target.shift, 8, Access::assign, 1}};

/// Whose interrupt it is: null for an SPI.
[[gnu::always_inline]] inline Result<Vcpu*> owner(const Partition& vm, uint64_t intid, uint64_t vcpu) {
    if (!vm.interrupts || !vm.interrupts->has(intid)) { return Status::bad_argument; }
    if (intid >= VirtualInterrupts::first_spi) { return nullptr; }
    Vcpu* own = vcpu < max_vcpus_per_partition ? vm.vcpus[vcpu] : nullptr;
    return own ? Result<Vcpu*>{own} : Status::bad_argument;
}

/// A write to a register, which is a read too.
struct Exchange {
    Partition& vm;
    Vcpu* own;
    Register reg;
    bool writes;
    unsigned first; ///< INTID
    uint64_t done, value, before;
    const Access& access = accesses[static_cast<unsigned>(reg)];

    /// The next few interrupts: all, or those that ones are written for.
    void step(Core& core) {
        constexpr unsigned few = 8;
        uint64_t field = ((1ull << access.width) - 1) << access.lsb;
        bool all = access.ones == Access::assign || value == 0 || !writes;
        uint64_t chosen = (all ? ~0ull : value) | 1ull << access.count;
        InterruptUpdate update(core, vm);
        for (unsigned i = 0; i < few; ++i, ++done) {
            done += static_cast<uint64_t>(__builtin_ctzll(chosen >> done));
            if (done >= access.count) { return; }
            auto n = static_cast<unsigned>(done);
            unsigned at = n * (32 / access.count), intid = first + n;
            before |= access.value_of(update.word(own, intid), reg) << at;
            Word ones{(value >> (at + access.unused) << access.lsb) & field};
            Word clear{access.ones == Access::assign ? field : access.ones == Access::clear ? ones.bits : 0};
            if (writes) { update.change(own, intid, clear, access.ones == Access::clear ? Word{} : ones); }
        }
    }
};

uint64_t exchange_ctlr(Core& core, Partition& vm, uint64_t value) {
    constexpr uint32_t enables = 3;
    InterruptUpdate update(core, vm);
    uint64_t before = vm.interrupts->ctlr;
    vm.interrupts->ctlr = static_cast<uint32_t>(value) & enables;
    for (Vcpu* vcpu : vm.vcpus) {
        if (vcpu) { update.touch(*vcpu); }
    }
    return before;
}

} // namespace

Status interrupt_line(Core& core, Vcpu&, const Arguments& arguments, Target target) {
    constexpr uint64_t first_ppi = 16;
    auto& vm = target.as<Partition>();
    const uint64_t rights = target.capability->rights, range = target.capability->badge;
    const auto level = static_cast<Line>(arguments.x[3]);
    const bool any = level == Line::pulse && rights & abi::right::configure_interrupts; // who may set its latch as well
    if (!any && !(rights & abi::right::interrupt_line)) { return Status::no_right; }
    Vcpu* own = TRY(owner(vm, arguments.x[1], arguments.x[2]));
    const auto intid = static_cast<unsigned>(arguments.x[1]);
    if (!any && (intid < first_ppi || level > Line::pulse)) { return Status::bad_argument; }
    if (!any && (intid < (range & 0xffff) || intid > (range >> 16 & 0xffff))) { return Status::no_right; }
    level == Line::pulse ? pulse(core, vm, own, intid) : set_line(core, vm, own, intid, level);
    return Status::ok;
}

Status interrupt_state(Core& core, Vcpu& self, const Arguments& arguments, Target target) {
    auto& vm = target.as<Partition>();
    auto reg = static_cast<Register>(arguments.x[1]);
    if (arguments.x[1] > static_cast<uint64_t>(Register::ctlr)) { return Status::bad_argument; }
    bool is_ctlr = reg == Register::ctlr, writes = !(arguments.x[3] & abi::read_only);
    constexpr uint64_t low = 0xffff'ffff; // above it: what is done of a restarted one, and the value before
    uint64_t intid = arguments.x[3] & low, done = (arguments.x[3] & ~abi::read_only) >> 32;
    Vcpu* own = TRY(owner(vm, is_ctlr ? VirtualInterrupts::first_spi - 1 : intid, arguments.x[2]));
    if (is_ctlr) {
        self.context.x[1] = writes ? exchange_ctlr(core, vm, arguments.x[4]) : vm.interrupts->ctlr;
        return Status::ok;
    }
    Exchange exchange{vm, own, reg, writes, static_cast<unsigned>(intid), done, arguments.x[4] & low, arguments.x[4] >> 32};
    unsigned count = exchange.access.count;
    if (intid % count != 0 || done >= count || (reg == Register::route && own)) { return Status::bad_argument; }
    bool reads = reg >= Register::pending_set && reg <= Register::active_clear && (!writes || exchange.value == 0);
    if (reads && !up_to_date(core, self, vm, own, exchange.first, count)) { return restart; }
    do { exchange.step(core); } while (exchange.done < count && !hw::interrupt_pending());
    if (exchange.done < count) {
        self.context.x[3] = (arguments.x[3] & (abi::read_only | low)) | exchange.done << 32;
        self.context.x[4] = exchange.value | exchange.before << 32;
        return restart;
    }
    self.context.x[1] = exchange.before;
    return Status::ok;
}

Status interrupt_bind(Core& core, Vcpu& self, const Arguments& arguments, Target target) {
    Partition& mine = *self.partition;
    Interrupt& interrupt = target.as<Interrupt>();
    if (arguments.x[3] == 1) {
        auto vm = TRY(mine.lookup<Partition>(arguments.x[1], abi::right::configure_interrupts));
        return bind_to_vm(core, interrupt, vm.capability->object, arguments.x[2]);
    }
    auto notification = TRY(mine.lookup<Notification>(arguments.x[1], abi::right::serve));
    if (arguments.x[3] != 0 || arguments.x[2] >= 64) { return Status::bad_argument; }
    bind_to_notification(core, interrupt, notification.capability->object, static_cast<unsigned>(arguments.x[2]));
    return Status::ok;
}

Status interrupt_control(Core&, Vcpu&, const Arguments& arguments, Target target) {
    Interrupt& interrupt = target.as<Interrupt>();
    switch (arguments.x[1]) {
    case 0: acknowledge(interrupt); return Status::ok;
    case 1: gic::mask(interrupt.intid); return Status::ok;
    case 2: gic::unmask(interrupt.intid); return Status::ok;
    default: return Status::bad_argument;
    }
}

} // namespace bulkhead::hypercall
