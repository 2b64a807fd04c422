// SPDX-License-Identifier: MIT
// The physical GICv3: registers from IHI 0069, chapter 12.
#include "irq/gic.hpp"
#include <algorithm>

namespace bulkhead::gic {

namespace {

// Offsets that the distributor and a redistributor's SGI frame share
constexpr uint64_t igroupr = 0x80, isenabler = 0x100, icenabler = 0x180, icpendr = 0x280, isactiver = 0x300, icactiver = 0x380,
                   ipriorityr = 0x400, icfgr = 0xc00;
constexpr uint64_t gicd_ctlr = 0, gicd_typer = 4, gicd_irouter = 0x6000;
constexpr uint64_t gicr_waker = 0x14, gicr_sgi = 0x1'0000;
/// EnableGrp1 with one Security state, EnableGrp1A as the Non-secure state of two; ARE likewise.
constexpr uint32_t ctlr_enable = 1u << 1 | 1u << 4;
constexpr uint32_t ctlr_pending_write = 1u << 31;
constexpr uint32_t processor_sleep = 1u << 1, children_asleep = 1u << 2;
constexpr uint32_t priority = 0xa0a0'a0a0;

PhysAddr distributor;
PhysAddr redistributors;
uint64_t stride;
uint32_t spi_end; ///< INTIDs 32..spi_end-1 exist

void wait_for_writes() {
    while (hw::load32(distributor + gicd_ctlr) & ctlr_pending_write) { hw::yield(); }
}

PhysAddr redistributor(uint64_t core) { return redistributors + core * stride; }

/// The 32-bit register that has one bit per INTID, and that bit.
void store_bit(uint64_t bank, uint32_t intid) { hw::store32(distributor + (bank + intid / 32 * 4ull), 1u << intid % 32); }

/// 32 INTIDs: masked, in group 1, inactive, at the one priority that we use.
[[gnu::section(".text.boot")]] void init_bank(PhysAddr frame, uint32_t first) {
    uint64_t bits = first / 8;
    hw::store32(frame + (icenabler + bits), ~0u);
    hw::store32(frame + (igroupr + bits), ~0u);
    hw::store32(frame + (icpendr + bits), ~0u);
    hw::store32(frame + (icactiver + bits), ~0u);
    for (uint64_t i = 0; i < 32; i += 4) { hw::store32(frame + (ipriorityr + first + i), priority); }
}

[[gnu::section(".text.boot")]] void init_redistributor(const Core& core) {
    PhysAddr base = redistributor(core.index), sgi = base + gicr_sgi;
    hw::store32(base + gicr_waker, hw::load32(base + gicr_waker) & ~processor_sleep);
    while (hw::load32(base + gicr_waker) & children_asleep) { hw::yield(); }
    init_bank(sgi, 0);
    hw::store32(sgi + (icfgr + 4), 0); // PPIs are level-sensitive
    const uint32_t own_pmu = core.open_pmu ? 0 : 1u << pmu;
    hw::store32(sgi + isenabler, 1u << ipi | own_pmu | 1u << maintenance | 1u << hypervisor_timer | 1u << virtual_timer);
}

} // namespace

[[gnu::section(".text.boot")]] void init_distributor(PhysAddr gicd, PhysAddr gicr, uint64_t gicr_stride) {
    distributor = gicd, redistributors = gicr, stride = gicr_stride;
    hw::store32(gicd + gicd_ctlr, 0);
    wait_for_writes();
    spi_end = std::min(32 * ((hw::load32(gicd + gicd_typer) & 31) + 1), last_intid + 1);
    hw::store32(gicd + gicd_ctlr, ctlr_enable & ~2u); // affinity routing before what depends on it
    for (uint32_t first = first_spi; first < spi_end; first += 32) { init_bank(gicd, first); }
    wait_for_writes();
    hw::store32(gicd + gicd_ctlr, ctlr_enable);
    wait_for_writes();
}

[[gnu::section(".text.boot")]] void init_core(Core& core) {
    constexpr uint64_t sre_enable = 0xf, eoi_mode = 2, all_priorities = 0xff;
    hw::write<hw::IccSreEl2>({sre_enable});
    hw::isb(); // the other registers exist from here on
    init_redistributor(core);
    auto implemented = static_cast<uint32_t>(hw::read<hw::IchVtr>().bits & 0x1f) + 1;
    core.list_registers = std::min(implemented, max_list_registers);
    ASSERT(core.list_registers > 1); // one for what is active, one for what is pending
    hw::clear_list_registers(implemented);
    hw::write<IchHcrEl2>({});
    hw::write<hw::IccCtlr>({eoi_mode});
    hw::write<hw::IccPmr>({all_priorities});
    hw::write<hw::IccBpr1>({});
    hw::write<hw::IccIgrpen1>({1});
    hw::isb();
}

[[gnu::section(".text.boot")]] bool has_spi(uint32_t intid) { return intid >= first_spi && intid < spi_end; }

[[gnu::section(".text.boot")]] void configure(uint32_t intid, bool edge, unsigned core) {
    mask(intid);
    PhysAddr trigger = distributor + (icfgr + intid / 16 * 4ull);
    uint32_t bit = 2u << intid % 16 * 2;
    uint32_t others = hw::load32(trigger) & ~bit;
    hw::store32(trigger, edge ? others | bit : others);
    hw::store64(distributor + (gicd_irouter + 8ull * intid), core); // its affinity
}

void mask(uint32_t intid) {
    store_bit(icenabler, intid);
    wait_for_writes();
}

void unmask(uint32_t intid) { store_bit(isenabler, intid); }

void send_ipi(unsigned core) {
    hw::dsb_ishst(); // what the other core is to see, before it is told to look
    hw::write<hw::IccSgi1r>({1ull << core | static_cast<uint64_t>(ipi) << 24}); // its affinity is its number
    hw::isb();
}

void set_active(const Core& core, uint32_t ppi, bool active) {
    PhysAddr sgi = redistributor(core.index) + gicr_sgi;
    hw::store32(sgi + (active ? isactiver : icactiver), 1u << ppi);
    hw::dsb_sy(); // before its source is loaded: it must not fire, or must be able to
}

} // namespace bulkhead::gic
