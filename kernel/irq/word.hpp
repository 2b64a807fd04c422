// SPDX-License-Identifier: MIT
// The state of one virtual interrupt, in one word.
#pragma once
#include "regs/register.hpp"

namespace bulkhead {

struct VirtualInterrupt : Fields<VirtualInterrupt> {
    static constexpr F<0> line{};   ///< level of the input
    static constexpr F<1> latch{};  ///< pending whatever the line: an edge, or set by software
    static constexpr F<2> active{}; ///< ... and not in a list register
    static constexpr F<3> enabled{};
    static constexpr F<4> edge{};   ///< configured: the line's level does not make it pending
    static constexpr F<5> group1{}; ///< group 0 is never delivered
    static constexpr F<6> linked{}; ///< to physical interrupt `pintid`
    static constexpr F<7> held{};   ///< the physical one is active for it, and it is in no list register with HW=1
    static constexpr F<8, 8> priority{};
    static constexpr F<16, 8> target{}; ///< SPI: vCPU index, or any_vcpu
    static constexpr F<24, 10> pintid{};
    // Where it is: at most one of these three, at vCPU `holder`
    static constexpr F<34> queued{}; ///< in its queue
    static constexpr F<35> parked{}; ///< active in its eyes: among its parked ones
    static constexpr F<36> listed{}; ///< in a list register of it
    static constexpr F<40, 8> holder{};
    // While listed: what went along into the list register...
    static constexpr F<48> loaded_latch{};
    static constexpr F<49> loaded_active{};
    // ...and has been cleared since by software
    static constexpr F<50> cancel_latch{};
    static constexpr F<51> cancel_active{};
};
using Word = Value<VirtualInterrupt>;
constexpr uint64_t any_vcpu = 0xff;
/// As many as every GICv3 with virtualization has.
constexpr unsigned priority_levels = 32, priority_step = 256 / priority_levels;

constexpr bool is(Word word, auto field) { return word.get(field) != 0; }
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
