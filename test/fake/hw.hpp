// SPDX-License-Identifier: MIT
// A machine for host tests, with the names of kernel/hw/hw.hpp: physical memory is an arena, registers are cells of the
// core that runs (`hw::this_core`), and what would reach hardware is written down in `hw::log`.
#pragma once
#include "abi/image.hpp"
#include "lib/types.hpp"
#include "regs/el2.hpp"
#include "vcpu/state.hpp"
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <utility>
#include <vector>

namespace bulkhead::hw {

/// What the core asked of the hardware, in order.
enum class Op {
    store,   ///< store32, store64: address, value
    dsb_ish, ///< also sy, nsh
    dsb_ishst,
    isb,
    tlbi_ipa,         ///< ipas2e1is: address
    tlbi_vmid_stage1, ///< vmalle1is, vmalle1
    tlbi_vmid,        ///< vmalls12e1is, alle1
    tlbi_el2,         ///< vae2is: address; alle2
    invalidate_instructions,
    clean, ///< dc civac: address
    smc,   ///< function, first argument
};
struct Event {
    Op op;
    uint64_t address = 0;
    uint64_t value = 0;
    uint64_t vttbr = 0; ///< TLB maintenance: what VTTBR_EL2 held
    bool operator==(const Event&) const = default;
};
inline std::vector<Event> log;
inline unsigned this_core = 0;

/// The value of a register, per core.
template <class R> struct Cell { static inline Value<R> of[abi::max_cores]; };
template <class R> Value<R> read() { return Cell<R>::of[this_core]; }
template <class R> void write(Value<R> value) { Cell<R>::of[this_core] = value; }

struct ElrEl2;
struct SpsrEl2;
struct FarEl2;
struct HpfarEl2;
struct VttbrEl2;
struct VmpidrEl2;
struct CntvoffEl2;
struct CnthpCtl;
struct CnthpCval;
struct Cntpct;
struct Cntfrq;
struct TpidrEl2;
struct Ttbr0El2;
struct MairEl2;
struct VbarEl2;
struct IsrEl1;
struct MpidrEl1;
struct MidrEl1;
struct VpidrEl2;
struct CntvCtl;
struct CntvCval;
struct IccIar1;
struct IccEoir1;
struct IccDir;
struct IccPmr;
struct IccIgrpen1;
struct IccCtlr;
struct IccSgi1r;
struct IccSreEl2;
struct IccBpr1;
struct IccHppir1;
struct IchVtr;
struct IchEisr;
struct IchElrsr;
struct IchVmcr;
struct IchAp0r0;
struct IchAp1r0;
struct IchMisr;
struct ParEl1;
struct EsrEl1;
struct ElrEl1;
struct SpsrEl1;
struct FarEl1;
struct SctlrEl1;
struct VbarEl1;
struct SpEl0;
struct SpEl1;
struct CnthctlSetup;
struct HstrEl2;
struct PmcrEl0;
struct IdAa64Pfr0;
struct IdAa64Dfr0;
struct IdAa64Mmfr0;
struct MdscrEl1;
struct ActlrEl2;
struct VsesrEl2;
struct CtrEl0;
struct IdAa64Isar0;
struct IdAa64Isar1;
struct IdAa64Isar2;
struct IdAa64Pfr1;
struct IdAa64Mmfr1;
struct VdisrEl2;
struct Tpidr2El0;
inline bool has_ras() { return (read<IdAa64Pfr0>().bits >> 28 & 15) != 0; }
inline bool has_sme() { return (read<IdAa64Pfr1>().bits >> 24 & 15) != 0; }
inline bool has_pauth() { return (read<IdAa64Isar1>().bits & 0xff0) | (read<IdAa64Isar2>().bits & 0xf000); }
inline bool has_pmu() { return (read<IdAa64Dfr0>().bits >> 8 & 15) % 15 != 0; }
inline bool has_pan() { return (read<IdAa64Mmfr1>().bits >> 20 & 15) != 0; }

inline void note(Op op, uint64_t address = 0, uint64_t value = 0) { log.push_back({op, address, value, 0}); }
inline void note_tlbi(Op op, uint64_t address = 0) { log.push_back({op, address, 0, read<VttbrEl2>().bits}); }

template <class A, class C> bool both_equal(A a, A b, C c, C d) { return a == b && c == d; }

inline void isb() { note(Op::isb); }
inline void dsb_ish() { note(Op::dsb_ish); }
inline void dsb_ishst() { note(Op::dsb_ishst); }
inline void dsb_nsh() { note(Op::dsb_ish); }
inline void dsb_sy() { note(Op::dsb_ish); }
inline void wfe() {}
inline void sev() {}
/// What others do, once, while this core waits for one of them.
inline std::function<void()> meanwhile;
inline void yield() {
    if (meanwhile) { std::exchange(meanwhile, nullptr)(); }
}

inline void tlbi_ipas2e1is(GuestAddr ipa) { note_tlbi(Op::tlbi_ipa, ipa.value); }
inline void tlbi_vmalle1is() { note_tlbi(Op::tlbi_vmid_stage1); }
inline void tlbi_vmalle1() { note_tlbi(Op::tlbi_vmid_stage1); }
inline void tlbi_vmalls12e1is() { note_tlbi(Op::tlbi_vmid); }
inline void tlbi_vae2is(uint64_t address) { note(Op::tlbi_el2, address); }
inline void tlbi_alle2() { note(Op::tlbi_el2); }
inline void tlbi_alle1() { note(Op::tlbi_vmid); }
inline void ic_iallu() { note(Op::invalidate_instructions); }
inline void ic_ialluis() { note(Op::invalidate_instructions); }
inline uint64_t zeroed_line() { return 64; }
inline void dc_civac(uint64_t address) { note(Op::clean, address); }

/// The system counter, which stands still unless the test moves it, or has it move at every look at it.
inline uint64_t counter = 0, counter_step = 0;
template <> inline Value<Cntpct> read<Cntpct>() { return {counter += counter_step}; }

/// Each core's interrupts: what is pending, in the order of its arrival, and what is active.
inline std::vector<uint64_t> raised[abi::max_cores], active[abi::max_cores];
constexpr uint64_t timer_intid = 26, no_intid = 1023;
inline bool timer_due() { return counter >= Cell<CnthpCval>::of[this_core].bits; }
inline bool is_active(uint64_t intid) { return std::ranges::count(active[this_core], intid) != 0; }
template <> inline Value<IccIar1> read<IccIar1>() {
    auto& pending = raised[this_core];
    auto next = std::ranges::find_if_not(pending, is_active);
    uint64_t intid = timer_due() && !is_active(timer_intid) ? timer_intid : next == pending.end() ? no_intid : *next;
    if (intid != timer_intid && intid != no_intid) { pending.erase(next); }
    if (intid != no_intid) { active[this_core].push_back(intid); }
    return {intid};
}
template <> inline void write<IccDir>(Value<IccDir> value) {
    Cell<IccDir>::of[this_core] = value;
    for (auto& intids : active) { std::erase(intids, value.bits); }
}
/// An SGI reaches the cores in its target list; core n has Aff0 = n.
template <> inline void write<IccSgi1r>(Value<IccSgi1r> value) {
    Cell<IccSgi1r>::of[this_core] = value;
    for (unsigned core = 0; core < abi::max_cores; ++core) {
        uint64_t intid = value.bits >> 24 & 15;
        if (value.bits >> core & 1 && !std::ranges::count(raised[core], intid)) { raised[core].push_back(intid); }
    }
}
inline bool interrupt_waits() {
    return (timer_due() && !is_active(timer_intid)) || !std::ranges::all_of(raised[this_core], is_active);
}

/// Thrown by a WFI that nothing ends: the test goes on with it (see Machine in test/unit/kernel/machine.hpp).
struct Asleep {};
inline void wfi() {
    if (!interrupt_waits()) { throw Asleep{}; }
}

/// Physical memory: everything that the core may touch lies here.
constexpr uint64_t arena_base = 0x4000'0000, arena_size = 32 << 20;
inline std::byte* arena() {
    struct Free {
        void operator()(std::byte* bytes) const { ::operator delete[](bytes, std::align_val_t{page_size}); }
    };
    static const std::unique_ptr<std::byte, Free> bytes{new (std::align_val_t{page_size}) std::byte[arena_size]{}};
    return bytes.get();
}

template <class T> T* pointer(PhysAddr address) {
    if (address.value < arena_base || address.value - arena_base >= arena_size) {
        throw std::out_of_range("a physical address outside the arena");
    }
    return reinterpret_cast<T*>(arena() + (address.value - arena_base));
}
inline void dc_zva(uint64_t address) { std::memset(pointer<std::byte>({address}), 0, zeroed_line()); }
/// What lies outside the arena (the core's own data) keeps its host address.
inline PhysAddr physical(const void* pointer) {
    const auto address = reinterpret_cast<uint64_t>(pointer);
    const auto base = reinterpret_cast<uint64_t>(arena());
    return {address - base < arena_size ? arena_base + (address - base) : address};
}

/// Registers of devices: 32-bit cells by address.
inline std::map<uint64_t, uint32_t> device;
inline uint32_t load32(PhysAddr address) { return device[address.value]; }
inline void store32(PhysAddr address, uint32_t value) {
    note(Op::store, address.value, value);
    device[address.value] = value;
}
inline void store64(PhysAddr address, uint64_t value) {
    note(Op::store, address.value, value);
    if (address.value < arena_base) { // where qemu-virt has its devices
        device[address.value] = static_cast<uint32_t>(value), device[address.value + 4] = static_cast<uint32_t>(value >> 32);
    } else {
        *pointer<uint64_t>(address) = value;
    }
}

/// An interrupt is pending when ISR_EL1 says so, or after so many more looks at it.
inline int64_t looks_before_interrupt = -1;
inline bool interrupt_pending() {
    if (looks_before_interrupt >= 0) { return looks_before_interrupt-- == 0; }
    return read<IsrEl1>().bits != 0;
}

inline uint64_t list_registers[abi::max_cores][16];
inline uint64_t read_lr(unsigned n) { return list_registers[this_core][n]; }
inline void write_lr(unsigned n, uint64_t value) { list_registers[this_core][n] = value; }
/// Which hold nothing: state invalid, and HW = 1 or EOI = 0 (IHI 0069, ICH_ELRSR_EL2).
template <> inline Value<IchElrsr> read<IchElrsr>() {
    uint64_t empty = 0;
    for (unsigned n = 0; n < 16; ++n) {
        const uint64_t lr = list_registers[this_core][n];
        empty |= static_cast<uint64_t>(lr >> 62 == 0 && (lr >> 61 & 1 || !(lr >> 41 & 1))) << n;
    }
    return {empty};
}
inline void clear_list_registers(unsigned count) { std::fill_n(list_registers[this_core], count, 0); }

inline uint64_t smc_result = 0;
/// Thrown by the firmware when the machine is turned off.
struct PoweredOff {};
inline uint64_t smc(uint64_t function, uint64_t a1, uint64_t, uint64_t) {
    constexpr uint64_t system_off = 0x8400'0008, system_reset = 0x8400'0009;
    note(Op::smc, function, a1);
    if (function == system_off || function == system_reset) { throw PoweredOff{}; }
    return smc_result;
}

inline bool crc32_instructions = false;
inline bool has_crc32() { return crc32_instructions; }
inline uint32_t crc32_step(uint32_t crc, const uint64_t* words) {
    for (unsigned bit = 0; bit < 128; ++bit) {
        const uint64_t in = words[bit / 64] >> bit % 64 & 1;
        crc = (crc ^ in) & 1 ? crc >> 1 ^ 0xedb8'8320 : crc >> 1;
    }
    return crc;
}

} // namespace bulkhead::hw
