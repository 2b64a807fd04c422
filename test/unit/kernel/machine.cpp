// SPDX-License-Identifier: MIT
// The machine of machine.hpp: what its programs do, and how the core is entered and left.
#include "machine.hpp"
#include "fake/gate.hpp"
#include "irq/gic.hpp"
#include "mm/pool.hpp"
#include <cstring>

namespace bulkhead {

/// Of entry/vectors.S: only the boot's last step names it.
extern "C" [[noreturn]] void enter(Vcpu*) { throw hw::Asleep{}; }

} // namespace bulkhead

namespace bulkhead::test {

namespace {

constexpr uint64_t gicd = 0x0800'0000, gicr = 0x080a'0000, gicr_stride = 0x2'0000;
constexpr uint32_t object_count = 64;

void reset_hardware(unsigned core) {
    hw::this_core = core;
    new (cores[core]) Core{};
    cores[core]->index = core;
    hw::raised[core].clear(), hw::active[core].clear();
    std::memset(&hw::loaded[core], 0, sizeof(hw::loaded[core]));
    hw::write<hw::TpidrEl2>({reinterpret_cast<uint64_t>(cores[core])});
    hw::write<hw::CnthpCval>({~0ull});
    hw::write<hw::Cntfrq>({1'000'000});
    hw::write<hw::IchVtr>({3}); // 4 list registers
    hw::write<hw::IchVmcr>({});
    hw::write<hw::IdAa64Pfr0>({}), hw::write<hw::IdAa64Pfr1>({});
    hw::write<hw::VdisrEl2>({}), hw::write<hw::Tpidr2El0>({});
    hw::write<hw::CntvCtl>({});
    hw::write<hw::IsrEl1>({});
    hw::write<HcrEl2>({});
    gic::init_core(*cores[core]);
}

template <class T> T* in_arena() {
    static_assert(sizeof(T) <= page_size);
    return hw::pointer<T>(core_pool.take(1).value());
}

} // namespace

Machine::Machine(unsigned count) {
    hw::device.clear();
    hw::device[gicd + 4] = 3; // 128 INTIDs
    hw::counter = 1'000'000, hw::counter_step = 0;
    hw::looks_before_interrupt = -1;
    core_count = count;
    mutation = false;
    for (unsigned vmid = 1; vmid < 256; ++vmid) { release_vmid(static_cast<uint16_t>(vmid)); }
    gic::init_distributor({gicd}, {gicr}, gicr_stride);
    core_pool.init({hw::arena_base}, hw::arena_size / page_size);
    objects.init(hw::pointer<Slot>(core_pool.take(2).value()), object_count);
    for (unsigned n = count; n-- > 0;) { reset_hardware(n); }
    supervisor_ = next_object_++;
    objects.publish(objects.take_at(supervisor_, ObjectType::notification));
    hw::log.clear();
}

Partition& Machine::partition(abi::PartitionKind kind, const char* name) {
    constexpr uint64_t tables = 8, spis = 32, slots = 24;
    const uint64_t pages = partition_pages(kind, slots) + tables;
    const uint16_t index = next_object_++;
    Slot& slot = objects.take_at(index, ObjectType::partition);
    const uint16_t vmid = free_vmid();
    REQUIRE(reserve_vmid(vmid));
    slot.partition = &init_partition(core_pool.take(pages).value(), pages, {index, vmid, kind, slots, spis});
    std::strncpy(slot.partition->name, name, sizeof(slot.partition->name) - 1);
    objects.publish(slot);
    slot.partition->supervisor = objects.ref(supervisor_);
    slot.partition->supervisor_signal = static_cast<uint8_t>(index);
    if (slot.partition->interrupts) { slot.partition->interrupts->ctlr = 2; }
    return *slot.partition;
}

Partition& Machine::native(const char* name, bool confined) {
    Partition& made = partition(abi::PartitionKind::native, name);
    made.confined = confined;
    return made;
}

Vcpu& Machine::vcpu(Partition& of, unsigned core, unsigned priority) {
    unsigned index = 0;
    while (of.vcpus[index]) { ++index; }
    Slot& slot = objects.take_at(next_object_++, ObjectType::vcpu);
    slot.vcpu = new (in_arena<Vcpu>()) Vcpu{};
    init_vcpu(*slot.vcpu, of, index, core, priority);
    slot.vcpu->object_index = objects.index(slot);
    objects.publish(slot);
    vcpus.push_back(slot.vcpu);
    return *slot.vcpu;
}

ObjectRef Machine::endpoint(std::initializer_list<Vcpu*> servers, uint64_t max_us) {
    Slot& slot = objects.take_at(next_object_++, ObjectType::endpoint);
    for (Vcpu* server : servers) { slot.endpoint.server[server->core] = server; }
    slot.endpoint.max_ticks = max_us;
    objects.publish(slot);
    return objects.ref(slot);
}

ObjectRef Machine::notification(Vcpu& target) {
    Slot& slot = objects.take_at(next_object_++, ObjectType::notification);
    slot.notification.target = &target;
    target.notification = &slot.notification;
    objects.publish(slot);
    return objects.ref(slot);
}

uint64_t Machine::grant(Partition& to, ObjectRef object, uint64_t badge, uint64_t rights) {
    uint64_t handle = 1;
    while (to.table[handle].object) { ++handle; }
    fill_slot(to.table[handle], object, rights, badge);
    return handle;
}

void Machine::device(Partition& of, uint64_t ipa, ObjectRef endpoint, uint32_t badge) {
    uint64_t done = 0;
    while (done == 0) { done = of.stage2.set_device({ipa}, 1, DevicePage::make(endpoint, badge)).value(); }
}

void Machine::start(Vcpu& vcpu) {
    reset_vcpu(vcpu, start_address, 0, 0, 0);
    vcpu.state = VcpuState::ready;
    marks_[&vcpu] = {};
    make_ready(*cores[vcpu.core], vcpu);
}

void Machine::serve(Vcpu& vcpu, uint64_t deadline) {
    const unsigned back = hw::this_core;
    on(vcpu.core);
    start(vcpu);
    const uint8_t priority = vcpu.priority; // it is to run now, whoever else is ready
    core().ready.remove(vcpu);
    vcpu.priority = abi::priorities - 1;
    core().ready.push_back(vcpu);
    REQUIRE(go() == &vcpu);
    core().ready.remove(vcpu);
    vcpu.priority = priority;
    core().ready.push_back(vcpu);
    reply(0, {}, deadline);
    on(back);
}

/// Not a mark: an exception was injected.
static bool is_pc(uint64_t elr) { return elr >= start_address && elr < 0x1'0000; }

void Machine::mark(Vcpu& vcpu) {
    const uint64_t mark = ++last_mark_;
    auto& hardware = hw::in_hardware();
    if (!vcpu.native || vcpu.unconfined) {
        if (!is_pc(hardware.eager.elr_el1)) { hardware.eager.elr_el1 = mark; }
        hardware.lazy.tpidr_el1 = mark;
    }
    Marks& left = marks_[&vcpu];
    if (!vcpu.native) { hardware.lazy.ttbr0_el1 = left.lazy = mark, left.eager = hardware.eager.elr_el1; }
    if (vcpu.unconfined) { hardware.eager.vbar_el1 = mark << 11; }
    whose_mark_[mark] = &vcpu;
    cpu().x[19] = left.x19 = mark;
}

void Machine::entered(Vcpu* next) {
    REQUIRE(next == core().current);
    cpu().runs = next;
    std::memcpy(cpu().x, next->context.x, sizeof(cpu().x));
    const Marks& left = marks_[next];
    const auto& hardware = hw::in_hardware();
    CHECK(hardware.controls.vttbr == next->partition->stage2.vttbr());
    CHECK(hardware.controls.hcr == next->controls.hcr);
    CHECK(hardware.sp_el0 == next->context.sp);
    const bool behind_reply_recv = next->native && left.x19 == 0; // then what it had there earlier may still be there
    CHECK((cpu().x[19] == left.x19 || (behind_reply_recv && whose_mark_[cpu().x[19]] == next)));
    if (next->native) {
        CHECK(hardware.eager.sctlr_el1 == native_sctlr);
        const uint64_t vbar = hardware.eager.vbar_el1;
        CHECK((vbar == native_vbar || (next->unconfined && whose_mark_[vbar >> 11] == next)));
    } else {
        CHECK(core().resident == next);
        CHECK((hardware.eager.elr_el1 == left.eager || is_pc(hardware.eager.elr_el1)));
        CHECK(hardware.lazy.tpidr_el1 == left.lazy);
        CHECK(hardware.lazy.ttbr0_el1 == left.lazy);
        CHECK(hardware.eager.sctlr_el1 == left.sctlr);
        CHECK(hardware.eager.vbar_el1 == left.vbar);
        CHECK(hardware.eager.cntv_ctl_el0 == left.cntv_ctl);
    }
    if (next->unconfined) { // it can look at them: nobody else's are there
        CHECK(core().resident == nullptr);
        CHECK((hardware.eager.elr_el1 == 0 || whose_mark_[hardware.eager.elr_el1] == next));
        CHECK((hardware.lazy.tpidr_el1 == 0 || whose_mark_[hardware.lazy.tpidr_el1] == next));
    }
    mark(*next);
}

void Machine::exception() {
    auto& eager = hw::in_hardware().eager;
    eager.elr_el1 = eager.spsr_el1 = eager.esr_el1 = eager.far_el1 = ++last_mark_;
    whose_mark_[last_mark_] = running();
    hw::write<hw::SpsrEl2>({hw::read<hw::SpsrEl2>().bits | 1}); // EL1h
    marks_[running()].in_exception = true;
}

void Machine::save_registers() {
    if (!running()) { return; }
    std::memcpy(running()->context.x, cpu().x, sizeof(cpu().x));
    const EagerState& eager = hw::in_hardware().eager;
    Marks& left = marks_[running()];
    left.sctlr = eager.sctlr_el1, left.vbar = eager.vbar_el1, left.cntv_ctl = eager.cntv_ctl_el0;
}

template <class Handler> Vcpu* Machine::into_kernel(Handler handler) {
    try {
        entered(handler());
    } catch (const hw::Asleep&) {
        cpu().runs = nullptr;
        CHECK(core().current == nullptr);
        CHECK(core().account == nullptr);
        CHECK(core().ready.best() == nullptr);
    }
    check();
    return running();
}

Vcpu* Machine::go() {
    save_registers();
    return into_kernel([&] { return schedule(core()); });
}

Vcpu* Machine::control(Vcpu& vcpu, uint32_t requests) {
    save_registers();
    if (requests & request::start) {
        vcpu.start_entry = start_address;
        forget(vcpu);
    }
    ask(core(), vcpu, requests);
    return into_kernel([&] { return leave_kernel(core()); });
}

Vcpu* Machine::interrupts() {
    while (hw::interrupt_waits()) {
        into_kernel([&] {
            if (!cpu().runs) {
                take_interrupt(core());
                return schedule(core());
            }
            save_registers();
            return handle_irq(&core(), cpu().runs);
        });
    }
    return running();
}

void Machine::settle() {
    const unsigned back = hw::this_core;
    for (bool again = true; again;) {
        again = false;
        for (unsigned n = 0; n < core_count; ++n) {
            on(n);
            again |= hw::interrupt_waits();
            interrupts();
        }
    }
    on(back);
}

void Machine::pass(uint64_t ticks) {
    settle();
    for (const uint64_t end = hw::counter + ticks; hw::counter < end;) {
        uint64_t next = end;
        for (unsigned n = 0; n < core_count; ++n) { next = std::min(next, hw::Cell<hw::CnthpCval>::of[n].bits); }
        hw::counter = std::max(next, hw::counter + 1);
        settle();
    }
}

Vcpu* Machine::hvc(Hypercall number, std::initializer_list<uint64_t> x) {
    REQUIRE(running());
    unsigned n = 0;
    for (uint64_t value : x) { cpu().x[n++] = value; }
    hw::write<hw::ElrEl2>({pc() + instruction});
    const auto immediate = static_cast<uint64_t>(number);
    if (!running()->native || immediate > abi::hypercall_count) { return sync(ec::hvc64 << 26 | il | immediate); }
    save_registers();
    return into_kernel([&] { return hypercall(immediate); });
}

/// As entry/vectors.S does.
Vcpu* Machine::hypercall(uint64_t number) {
    Vcpu& vcpu = *running();
    auto& x = vcpu.context.x;
    if (number == static_cast<uint64_t>(Hypercall::call)) {
        const uint64_t w[] = {x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]};
        for (unsigned n = 2; n < 9; ++n) { x[n] = 0; } // they are in registers only
        return bulkhead::call(w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]);
    }
    auto target = fake::pass_gate(*vcpu.partition, x[0], number);
    if (!target.ok()) {
        x[0] = static_cast<uint64_t>(target.status());
        return &vcpu;
    }
    return handle_hypercall(&core(), &vcpu, number, target.value());
}

Vcpu* Machine::reply(uint64_t tag, std::initializer_list<uint64_t> words, uint64_t deadline) {
    REQUIRE(running());
    uint64_t w[abi::message_words]{};
    std::ranges::copy(words, w);
    hw::write<hw::ElrEl2>({pc() + instruction});
    running()->context.x[0] = deadline, running()->context.x[1] = tag; // by the vector; nothing else is saved
    marks_[running()].x19 = 0;
    return into_kernel([&] { return reply_recv(deadline, tag, w[0], w[1], w[2], w[3], w[4], w[5]); });
}

Vcpu* Machine::signal_recv(uint64_t handle, uint64_t set, uint64_t deadline) {
    REQUIRE(running());
    constexpr uint64_t tag = Tag::make(Kind::refused, 0, 0, 0).bits;
    Vcpu& vcpu = *running();
    hw::write<hw::ElrEl2>({pc() + instruction});
    vcpu.context.x[0] = handle, vcpu.context.x[1] = tag; // as for reply
    marks_[&vcpu].x19 = 0;
    return into_kernel([&] {
        auto target = fake::pass_gate(*vcpu.partition, handle, static_cast<uint64_t>(Hypercall::signal_recv));
        if (target.ok()) { return bulkhead::signal_recv(target.value().slot, target.value().capability->badge, set, deadline); }
        vcpu.context.x[0] = static_cast<uint64_t>(target.status());
        return &vcpu;
    });
}

Vcpu* Machine::sync(uint64_t esr, uint64_t far, uint64_t ipa) {
    REQUIRE(running());
    hw::write<EsrEl2>({esr});
    hw::write<hw::FarEl2>({far});
    hw::write<hw::HpfarEl2>({ipa >> 12 << 4});
    save_registers();
    return into_kernel([&] { return handle_sync(&core(), running()); });
}

Vcpu* Machine::serror(uint64_t esr) {
    save_registers();
    hw::write<EsrEl2>({esr});
    return into_kernel([&] { return handle_serror(&core(), running()); });
}

std::string printed() {
    constexpr uint64_t pl011 = 0x0900'0000;
    std::string text;
    for (const hw::Event& event : hw::log) {
        if (event.op == hw::Op::store && event.address == pl011) { text += static_cast<char>(event.value); }
    }
    return text;
}

} // namespace bulkhead::test
