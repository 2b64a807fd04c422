// SPDX-License-Identifier: MIT
// Owns the GICv3 (Arm IHI 0069): affinity routing, group 1 only, one priority.

#include "gic.h"

#include "cpu.h"

namespace guest {

namespace {

constexpr uint64_t ctlr = 0x0, typer = 0x4, gicr_typer = 0x8, waker = 0x14;
constexpr uint64_t igroupr = 0x80, isenabler = 0x100, icenabler = 0x180, icpendr = 0x280;
constexpr uint64_t ipriorityr = 0x400, irouter = 0x6000;
constexpr uint64_t sgi_frame = 0x1'0000, frame_pair = 0x2'0000, frame_quad = 0x4'0000;

constexpr uint32_t ctlr_group1 = 1 << 1, ctlr_affinity = 1 << 4, gicd_rwp = 1u << 31;
constexpr uint32_t gicr_rwp = 1 << 3, processor_sleep = 1 << 1, children_asleep = 1 << 2;
constexpr uint64_t typer_vlpis = 1 << 1, typer_last = 1 << 4;
constexpr uint32_t priority = 0xa0a0'a0a0;
constexpr uint32_t first_special = 1020;

uint32_t get(uint64_t address) { return mmio_read<uint32_t>(address); }
void set(uint64_t address, uint32_t value) { mmio_write(address, value); }

constinit Gic the_gic;

/// Aff3.2.1.0 as GICR_TYPER packs them.
uint32_t packed(uint64_t affinity) {
    return static_cast<uint32_t>(affinity >> 8 & 0xff00'0000) | static_cast<uint32_t>(affinity & 0xff'ffff);
}

void start_cpu_interface() {
    IccSreEl1::write(7);
    isb(); // the other registers exist from here on
    IccPmrEl1::write(0xff);
    IccBpr1El1::write(0);
    IccCtlrEl1::write(0);
    IccIgrpen1El1::write(1);
    isb();
}

} // namespace

Gic& gic() { return the_gic; }

void Gic::wait_for_writes(uint64_t control) const {
    uint32_t pending = control == distributor_ ? gicd_rwp : gicr_rwp;
    while (get(control) & pending) yield();
}

void Gic::start_distributor(uint64_t distributor) {
    distributor_ = distributor;
    set(distributor + ctlr, 0);
    wait_for_writes(distributor);
    uint32_t lines = 32 * ((get(distributor + typer) & 0x1f) + 1);
    if (lines > first_special) lines = first_special;
    for (uint32_t i = 32; i < lines; i += 32) {
        set(distributor + icenabler + i / 8, ~0u);
        set(distributor + icpendr + i / 8, ~0u);
        set(distributor + igroupr + i / 8, ~0u);
    }
    for (uint32_t i = 32; i < lines; i += 4) set(distributor + ipriorityr + i, priority);
    wait_for_writes(distributor);
    set(distributor + ctlr, ctlr_affinity | ctlr_group1);
    wait_for_writes(distributor);
}

bool Gic::start_cpu(uint64_t redistributors, uint64_t size) {
    uint32_t wanted = packed(this_affinity());
    uint64_t at = redistributors;
    for (uint64_t type = mmio_read<uint64_t>(at + gicr_typer); type >> 32 != wanted;) {
        at += type & typer_vlpis ? frame_quad : frame_pair;
        if (type & typer_last || at - redistributors >= size) return false;
        type = mmio_read<uint64_t>(at + gicr_typer);
    }
    redistributor_[this_cpu()] = at;
    set(at + waker, get(at + waker) & ~processor_sleep);
    while (get(at + waker) & children_asleep) yield();
    uint64_t frame = at + sgi_frame;
    set(frame + icenabler, ~0u);
    set(frame + icpendr, ~0u);
    set(frame + igroupr, ~0u);
    for (uint32_t i = 0; i < 32; i += 4) set(frame + ipriorityr + i, priority);
    wait_for_writes(at);
    start_cpu_interface();
    return true;
}

/// Where the registers of this INTID's bank start.
uint64_t Gic::bank(uint32_t intid) const { return intid < 32 ? redistributor_[this_cpu()] + sgi_frame : distributor_; }

bool Gic::enable(uint32_t intid, Handler handler) {
    if (intid >= max_intid) return false;
    handler_[this_cpu()][intid] = handler;
    if (intid >= 32) mmio_write<uint64_t>(distributor_ + irouter + 8 * intid, this_affinity());
    dsb(); // the handler is there before the interrupt can be
    set(bank(intid) + isenabler + intid / 32 * 4, 1u << intid % 32);
    return true;
}

void Gic::disable(uint32_t intid) {
    set(bank(intid) + icenabler + intid / 32 * 4, 1u << intid % 32);
    wait_for_writes(intid < 32 ? redistributor_[this_cpu()] : distributor_);
}

void Gic::send_sgi(uint32_t intid, uint64_t affinity) {
    uint64_t aff0 = affinity & 0xff, aff1 = affinity >> 8 & 0xff, aff2 = affinity >> 16 & 0xff;
    uint64_t aff3 = affinity >> 32 & 0xff;
    dsb(); // what the other CPU is to see comes first
    IccSgi1rEl1::write(aff3 << 48 | (aff0 / 16) << 44 | aff2 << 32 | uint64_t{intid} << 24 | aff1 << 16 | 1ull << aff0 % 16);
    isb();
}

void Gic::dispatch() {
    for (;;) {
        auto intid = static_cast<uint32_t>(IccIar1El1::read() & 0xff'ffff);
        if (intid >= first_special && intid < 1024) return;
        dsb(); // acknowledged before the device is looked at
        if (Handler handler = intid < max_intid ? handler_[this_cpu()][intid] : nullptr) handler();
        IccEoir1El1::write(intid);
        isb();
    }
}

} // namespace guest
