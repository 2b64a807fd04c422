// SPDX-License-Identifier: MIT
// The state of one virtual interrupt, in one word.
#pragma once
#include "regs/register.hpp"

namespace bulkhead {

/// The flags are below bit 16, and what is asked for or set together is side by side: one instruction does it.
struct VirtualInterrupt : Fields<VirtualInterrupt> {
    static constexpr F line{0}; ///< level of the input
    static constexpr F held{1}; ///< the physical one is active for it, and it is in no list register with HW=1
    // While listed: of what went along (9, 10), what has been cleared since by software
    static constexpr F cancel_active{2};
    static constexpr F cancel_latch{3};
    static constexpr F enabled{4};
    static constexpr F group1{5}; ///< group 0 is never delivered
    static constexpr F listed{6}; ///< in a list register of vCPU `holder`: `list_register`
    static constexpr F active{7}; ///< ... and not in a list register
    static constexpr F latch{8};  ///< pending whatever the line: an edge, or set by software
    // While listed: what went along into the list register
    static constexpr F loaded_latch{9};
    static constexpr F loaded_active{10};
    static constexpr F linked{11}; ///< to physical interrupt `pintid`
    static constexpr F edge{12};   ///< configured: the line's level does not make it pending
    // Where it is else: at most one of these and `listed`, at vCPU `holder`
    static constexpr F queued{13}; ///< in its queue
    static constexpr F parked{14}; ///< active in its eyes: among its parked ones
    static constexpr F priority{16, 8};
    static constexpr F target{24, 8}; ///< SPI: vCPU index, or any_vcpu
    static constexpr F holder{32, 8};
    static constexpr F list_register{40, 2};
    static constexpr F pintid{48, 10};
};
using Word = Value<VirtualInterrupt>;
constexpr uint64_t any_vcpu = 0xff;
/// As many as every GICv3 with virtualization has.
constexpr unsigned priority_levels = 32, priority_step = 256 / priority_levels;

constexpr bool is(Word word, auto field) { return (word.bits & field.mask) != 0; }
/// Of the flags `asked`: exactly `set`.
constexpr bool are(Word word, Word asked, Word set) { return (word.bits & asked.bits) == set.bits; }
/// As GICD_ISPENDR and GICD_ISACTIVER read.
constexpr bool is_high(Word w) { return is(w, VirtualInterrupt::line) && !is(w, VirtualInterrupt::edge); }
constexpr bool is_pending(Word w) {
    bool loaded = is(w, VirtualInterrupt::loaded_latch) && !is(w, VirtualInterrupt::cancel_latch);
    return is(w, VirtualInterrupt::latch) || is_high(w) || loaded;
}
constexpr bool is_active(Word w) {
    bool loaded = is(w, VirtualInterrupt::loaded_active) && !is(w, VirtualInterrupt::cancel_active);
    return is(w, VirtualInterrupt::active) || loaded;
}
/// Configured such that it may be delivered.
constexpr bool is_open(Word w) { return is(w, VirtualInterrupt::enabled) && is(w, VirtualInterrupt::group1); }
constexpr unsigned level_of(Word w) { return static_cast<unsigned>(w.get(VirtualInterrupt::priority)) / priority_step; }

} // namespace bulkhead
