// SPDX-License-Identifier: MIT
// Two VMs on two cores with their virtual CPU interfaces played by the test: a guest that acknowledges and ends what
// its list registers hold, and maintenance interrupts when the hardware would raise them.
#pragma once
#include "fake/gate.hpp"
#include "irq/gic.hpp"
#include "irq/physical.hpp"
#include "sched/cross.hpp"
#include "unit/kernel/status_text.hpp"
#include <cstring>
#include <initializer_list>
#include <memory>

namespace bulkhead::test {

using abi::Hypercall;
using Register = abi::VirtualInterruptRegister;
constexpr unsigned spurious = 1023;
constexpr uint64_t gicd = hw::arena_base, gicr = hw::arena_base + 0x10'0000, gicr_stride = 0x2'0000;

/// Requests to other cores, not yet taken there.
inline std::vector<Vcpu*> inbox;
/// What became runnable by an interrupt, and which signals were sent.
inline std::vector<const Vcpu*> woken;
inline std::vector<std::pair<const Notification*, uint64_t>> signalled;
/// Physical interrupts that a guest has deactivated through hardware-linked list registers.
inline std::vector<unsigned> ended_by_guest;

struct World {
    Core& core0 = *cores[0];
    Core& core1 = *cores[1];
    std::unique_ptr<Slot[]> slots{new Slot[16]{}};
    struct Vm {
        Partition partition{};
        VirtualInterrupts interrupts{};
        std::unique_ptr<Vcpu> vcpus[3];
    } a, b;
    Partition service{};
    Vcpu server{};
    Capability table[12]{};

    World() {
        inbox.clear(), woken.clear(), signalled.clear(), ended_by_guest.clear();
        hw::log.clear(), hw::device.clear();
        std::memset(hw::list_registers, 0, sizeof hw::list_registers);
        hw::device[gicd + 4] = 3; // 128 INTIDs
        for (unsigned n = 0; n < 2; ++n) {
            hw::Cell<hw::TpidrEl2>::of[n] = {reinterpret_cast<uint64_t>(cores[n])};
            hw::Cell<hw::IchVtr>::of[n] = {3}; // 4 list registers
            hw::Cell<hw::IccDir>::of[n] = {spurious};
            hw::Cell<hw::IccEoir1>::of[n] = {spurious};
            hw::Cell<hw::CntvCtl>::of[n] = {};
        }
        gic::init_distributor({gicd}, {gicr}, gicr_stride);
        objects.init(slots.get(), 16);
        make(a, 1, {0, 1, 0});
        make(b, 2, {0});
        for (unsigned n = 0; n < 2; ++n) {
            on(n);
            cores[n]->index = n;
            cores[n]->resident = cores[n]->current = nullptr;
            gic::init_core(*cores[n]);
        }
        service.table = table;
        service.slots = 12;
        server.native = true;
        server.partition = &service;
        on(0);
        run(*a.vcpus[0]);
        on(1);
        run(*a.vcpus[1]);
        on(0);
    }

    void make(Vm& vm, uint16_t index, std::initializer_list<unsigned> on_cores) {
        vm.interrupts.init(96);
        vm.interrupts.ctlr = 2;
        vm.partition.kind = abi::PartitionKind::vm;
        vm.partition.interrupts = &vm.interrupts;
        unsigned n = 0;
        for (unsigned core : on_cores) {
            vm.vcpus[n] = std::make_unique<Vcpu>();
            Vcpu& vcpu = *vm.vcpus[n];
            vcpu.index = static_cast<uint8_t>(n);
            vcpu.core = static_cast<uint8_t>(core);
            vcpu.partition = &vm.partition;
            vcpu.state = VcpuState::ready;
            vcpu.lazy.ich_vmcr = 0xf0u << 24 | 2;
            init_interrupts(vcpu);
            vm.partition.vcpus[n++] = &vcpu;
        }
        Slot& slot = objects.take_at(index, ObjectType::partition);
        slot.partition = &vm.partition;
        objects.publish(slot);
    }

    static void on(unsigned core) { hw::this_core = core; }
    static Core& here() { return *cores[hw::this_core]; }

    /// Makes it resident and current on this core, as switching does.
    static void run(Vcpu& vcpu) {
        Core& core = here();
        if (core.resident != &vcpu) {
            if (Vcpu* old = core.resident) {
                old->lazy.ich_vmcr = hw::read<hw::IchVmcr>().bits;
                switch_out(core, *old);
            }
            core.resident = &vcpu;
            hw::write<hw::IchVmcr>({vcpu.lazy.ich_vmcr});
            switch_in(core, vcpu);
        }
        core.current = &vcpu;
        enter();
    }
    /// To the guest that runs on this core.
    static void enter() {
        Vcpu& vcpu = *here().current;
        if (vcpu.interrupts.dirty) { before_guest(here(), vcpu); }
        hw::write<IchHcrEl2>({vcpu.controls.ich_hcr});
    }
    /// The other core takes its inter-processor interrupt.
    static void take_ipis(unsigned core) {
        const unsigned back = hw::this_core;
        on(core);
        for (Vcpu* vcpu : std::exchange(inbox, {})) { answer_interrupt_request(here(), *vcpu); }
        if (here().current) { enter(); }
        on(back);
    }

    Status state(Register reg, unsigned vcpu, unsigned first, uint64_t value, Vm* vm = nullptr) {
        grant(1, vm == &b ? 2 : 1, abi::right::all);
        return call(Hypercall::interrupt_state, {1, static_cast<uint64_t>(reg), vcpu, first, value});
    }
    uint64_t read(Register reg, unsigned vcpu, unsigned first) {
        REQUIRE(state(reg, vcpu, first, 0) == Status::ok);
        return last;
    }
    /// Enabled, group 1, level-sensitive unless `edge`.
    void open(Vm& vm, unsigned vcpu, unsigned intid, unsigned priority = 0xa0, bool edge = false) {
        InterruptUpdate update(here(), vm.partition);
        using VI = VirtualInterrupt;
        Word set = VI::enabled(1) | VI::group1(1) | Word{}.with(VI::priority, priority).with(VI::edge, edge);
        update.change(vm.vcpus[vcpu].get(), intid, VI::priority(0xff) | VI::edge(1), set);
    }
    void line(unsigned intid, Line level, unsigned vcpu = 0) {
        Vcpu* own = a.vcpus[vcpu].get();
        level == Line::pulse ? bulkhead::pulse(here(), a.partition, own, intid) : set_line(here(), a.partition, own, intid, level);
    }
    void raise(unsigned intid) { line(intid, Line::raise), enter(); }
    void lower(unsigned intid) { line(intid, Line::lower), enter(); }
    void pulse(unsigned intid) { line(intid, Line::pulse), enter(); }

    void grant(uint64_t handle, uint16_t object, uint16_t rights, uint64_t badge = 0) {
        table[handle] = {objects.ref(object), rights, false, badge};
    }
    Status call(Hypercall number, std::initializer_list<uint64_t> x) {
        static HypercallHandler* const handlers[] = {hypercall::interrupt_line, hypercall::interrupt_state,
                                                     hypercall::interrupt_bind, hypercall::interrupt_control};
        Arguments arguments{};
        unsigned n = 0;
        for (uint64_t value : x) { arguments.x[n++] = value; }
        Target target = TRY(fake::pass_gate(service, arguments.x[0], static_cast<uint64_t>(number)));
        HypercallHandler* handler = handlers[static_cast<unsigned>(number) - static_cast<unsigned>(Hypercall::interrupt_line)];
        Status status = handler(here(), server, arguments, target);
        last = server.context.x[1];
        return status;
    }
    uint64_t last = 0;

    /// Whether a physical PPI of a core is active, by what was last written.
    static bool timer_active(unsigned core) { return ppi_active(core, gic::virtual_timer); }
    static bool ppi_active(unsigned core, unsigned intid) {
        const uint64_t frame = gicr + core * gicr_stride + 0x1'0000;
        bool active = false;
        for (const auto& event : hw::log) {
            if (event.op != hw::Op::store || event.value != 1u << intid) { continue; }
            if (event.address == frame + 0x300) { active = true; }
            if (event.address == frame + 0x380) { active = false; }
        }
        return active;
    }
    static uint64_t deactivated() { return hw::read<hw::IccDir>().bits; }
};

/// The virtual CPU interface of the core that runs.
struct Guest {
    std::vector<uint64_t> running; ///< priorities, the most urgent last

    static std::vector<Value<IchLr>> lists() {
        std::vector<Value<IchLr>> found;
        for (unsigned n = 0; n < 4; ++n) { found.push_back({hw::read_lr(n)}); }
        return found;
    }
    /// The list register that holds an INTID, or zero.
    static Value<IchLr> list(unsigned intid) {
        for (auto lr : lists()) {
            if (lr.get(IchLr::state) && lr.get(IchLr::vintid) == intid) { return lr; }
        }
        return {};
    }
    static bool has(unsigned intid) { return list(intid).bits != 0; }
    static uint64_t state_of(unsigned intid) { return list(intid).get(IchLr::state); }
    static unsigned used() {
        unsigned count = 0;
        for (auto lr : lists()) { count += lr.get(IchLr::state) != 0; }
        return count;
    }

    unsigned acknowledge() {
        unsigned best = 4;
        uint64_t priority = running.empty() ? 0xff : running.back();
        for (unsigned n = 0; n < 4; ++n) {
            auto lr = lists()[n];
            if (lr.get(IchLr::state) == IchLr::pending && lr.get(IchLr::priority) < priority) {
                best = n, priority = lr.get(IchLr::priority);
            }
        }
        if (best == 4 || !hw::read<IchHcrEl2>().get(IchHcrEl2::en)) { return spurious; }
        auto lr = lists()[best];
        hw::write_lr(best, lr.with(IchLr::state, IchLr::active).bits);
        running.push_back(priority);
        maintain();
        return static_cast<unsigned>(lr.get(IchLr::vintid));
    }
    void drop() { running.pop_back(); }
    void deactivate(unsigned intid) {
        for (unsigned n = 0; n < 4; ++n) {
            auto lr = lists()[n];
            if (!(lr.get(IchLr::state) & IchLr::active) || lr.get(IchLr::vintid) != intid) { continue; }
            hw::write_lr(n, lr.with(IchLr::state, lr.get(IchLr::state) & IchLr::pending).bits);
            if (lr.get(IchLr::hw)) { ended_by_guest.push_back(static_cast<unsigned>(lr.get(IchLr::pintid))); }
            return maintain();
        }
        auto control = hw::read<IchHcrEl2>();
        hw::write(control.with(IchHcrEl2::eoi_count, control.get(IchHcrEl2::eoi_count) + 1));
        maintain();
    }
    void end(unsigned intid) {
        drop();
        deactivate(intid);
    }
    /// Takes the best one and ends it.
    unsigned handle() {
        unsigned intid = acknowledge();
        if (intid != spurious) { end(intid); }
        return intid;
    }

    static bool wants_maintenance() {
        auto control = hw::read<IchHcrEl2>();
        bool eoi = false, pending = false;
        for (auto lr : lists()) {
            eoi |= lr.get(IchLr::state) == 0 && !lr.get(IchLr::hw) && lr.get(IchLr::eoi);
            pending |= lr.get(IchLr::state) & IchLr::pending;
        }
        return control.get(IchHcrEl2::en) &&
               (eoi || (control.get(IchHcrEl2::uie) && used() <= 1) || (control.get(IchHcrEl2::npie) && !pending) ||
                (control.get(IchHcrEl2::lrenpie) && control.get(IchHcrEl2::eoi_count)));
    }
    static inline unsigned maintenances = 0;
    static void maintain() {
        if (!wants_maintenance()) { return; }
        ++maintenances;
        maintenance(World::here());
        World::enter();
        CHECK_FALSE(wants_maintenance()); // else it would fire for ever
    }
};

} // namespace bulkhead::test
