// SPDX-License-Identifier: MIT
// The register map of a GICv3 (Arm IHI 0069) without LPIs and with one Security state: offsets,
// fields and constant values.
#pragma once
#include "abi/hypercall.hpp"
#include <cstdint>

namespace gic {

using Register = abi::VirtualInterruptRegister;

constexpr uint64_t frame_size = 0x1'0000; ///< of the distributor, RD_base and SGI_base
constexpr uint64_t redistributor_size = 2 * frame_size;
constexpr unsigned private_intids = 32; ///< SGIs 0..15 and PPIs 16..31, per vCPU
constexpr unsigned max_spis = abi::max_virtual_intid + 1 - private_intids;
constexpr unsigned max_vcpus = 8; ///< of one VM

/// Implementation and architecture, the same in both frames: JEP106 code of Arm (0x43b) and a
/// product of our own, 'B'.
constexpr uint32_t iidr = 0x42u << 24 | 0x43b;

namespace gicd {
constexpr uint32_t ctlr = 0x0000, typer = 0x0004, iidr = 0x0008;
constexpr uint32_t router = 0x6000; ///< of INTID n at router + 8n
constexpr uint32_t router_end = 0x8000;
constexpr uint32_t ctlr_enables = 3; ///< EnableGrp0, EnableGrp1: what can be written
/// ARE and DS read as one, RWP as zero: every write is at once.
constexpr uint32_t ctlr_constant = 1u << 4 | 1u << 6;
/// ITLinesNumber by the number of SPIs; 10 bits of INTID; Aff3 and the range selector are
/// implemented; 1 of N is supported.
constexpr uint32_t typer_value(unsigned spis) { return spis / 32 | 9u << 19 | 1u << 24 | 1u << 26; }
constexpr uint64_t router_irm = 1u << 31;        ///< any vCPU
constexpr uint64_t router_mask = 0xff'80ff'ffff; ///< Aff3, IRM, Aff2, Aff1, Aff0
} // namespace gicd

namespace gicr {
constexpr uint32_t iidr = 0x0004, typer = 0x0008, typer_high = 0x000c, waker = 0x0014;
constexpr uint32_t waker_processor_sleep = 1u << 1, waker_asleep = 3u << 1; ///< with ChildrenAsleep
constexpr uint64_t typer_value(unsigned index, bool last, uint32_t affinity) {
    return static_cast<uint64_t>(affinity) << 32 | index << 8 | (last ? 1u << 4 : 0);
}
} // namespace gicr

/// ICC_SGI1R_EL1, ICC_SGI0R_EL1 and ICC_ASGI1R_EL1: the fields besides Aff3, RS, Aff2 and Aff1.
namespace sgir {
constexpr uint64_t irm = 1ull << 40, intids = 0xf << 24, list = 0xffff;
constexpr unsigned intid(uint64_t value) { return value >> 24 & 0xf; }
} // namespace sgir

/// PIDR4..7, PIDR0..3, CIDR0..3 of both frames: an Arm GICv3 (ArchRev 3), as its drivers look for.
constexpr uint32_t id_registers = 0xffd0;
constexpr uint8_t id_values[] = {0x44, 0, 0, 0, 0x92, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1};
constexpr uint32_t id_value(uint32_t offset) { return id_values[(offset - id_registers) / 4]; }

/// 32 levels: the least that a GICv3 with virtualization has, so that a guest finds as many on
/// every machine.
constexpr uint32_t priority_mask = 0xf8f8'f8f8;
constexpr uint32_t config_mask = 0xaaaa'aaaa; ///< the lower bit of each pair is reserved
constexpr uint32_t config_sgis = 0xaaaa'aaaa; ///< SGIs are edge-triggered; PPIs (timers) are level-sensitive

/// A register of the banks that the distributor and SGI_base have at the same offsets: one field
/// for each INTID.
struct Field {
    Register reg;
    unsigned first; ///< INTID of its lowest field
};
constexpr uint32_t bank_begin = 0x080, priority_begin = 0x400, priority_end = 0x800, config_begin = 0xc00, config_end = 0xd00,
                   bank_bytes = 0x080;

/// Offset to field. The banks of one bit per INTID follow one another in the order of
/// abi::VirtualInterruptRegister.
constexpr bool in_banks(uint32_t offset) {
    return (offset >= bank_begin && offset < priority_end) || (offset >= config_begin && offset < config_end);
}
constexpr Field field_at(uint32_t offset) {
    if (offset < priority_begin) { return {static_cast<Register>(offset / bank_bytes - 1), offset % bank_bytes * 8}; }
    if (offset < priority_end) { return {Register::priority, offset - priority_begin}; }
    return {Register::config, (offset - config_begin) * 4};
}
static_assert(field_at(0x080).reg == Register::group && field_at(0x104).reg == Register::enable_set &&
              field_at(0x184).reg == Register::enable_clear && field_at(0x204).reg == Register::pending_set &&
              field_at(0x284).reg == Register::pending_clear && field_at(0x304).reg == Register::active_set &&
              field_at(0x384).reg == Register::active_clear && field_at(0x384).first == 32 && field_at(0x420).first == 32 &&
              field_at(0xc08).first == 32);

/// One bit per INTID, where writing a one acts and a zero does nothing.
constexpr bool write_one_acts(Register reg) { return reg >= Register::enable_set && reg <= Register::active_clear; }
/// The register to read: a clear register reads as its set register.
constexpr Register to_read(Register reg) {
    auto number = static_cast<unsigned>(reg);
    return write_one_acts(reg) && number % 2 == 0 ? static_cast<Register>(number - 1) : reg;
}
static_assert(to_read(Register::active_clear) == Register::active_set && to_read(Register::enable_set) == Register::enable_set &&
              to_read(Register::group) == Register::group);

} // namespace gic
