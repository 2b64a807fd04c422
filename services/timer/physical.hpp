// SPDX-License-Identifier: MIT
// The EL1 physical timer (CNTP_*) of one vCPU: registers and arithmetic, after the Arm ARM, D11.2
// "The AArch64 view of the Generic Timer". Time is CNTPCT, in ticks.
#pragma once
#include "abi/message.hpp"

namespace timer {

constexpr uint32_t cntp_tval = abi::sysreg(3, 3, 14, 2, 0), cntp_ctl = abi::sysreg(3, 3, 14, 2, 1),
                   cntp_cval = abi::sysreg(3, 3, 14, 2, 2);
/// They differ in op2 alone.
constexpr bool is_register(uint64_t reg) { return reg == cntp_ctl || (reg & ~(cntp_tval ^ cntp_cval)) == cntp_tval; }
static_assert(is_register(cntp_tval) && is_register(cntp_ctl) && is_register(cntp_cval));

struct Physical {
    static constexpr uint32_t enable = 1u << 0, imask = 1u << 1, istatus = 1u << 2;

    uint64_t cval;
    uint32_t control; ///< ENABLE and IMASK
    uint32_t reserved;

    /// ISTATUS. With ENABLE=0 it is UNKNOWN: zero here.
    constexpr bool condition(uint64_t now) const { return (control & enable) && now >= cval; }
    constexpr bool line(uint64_t now) const { return condition(now) && !(control & imask); }
    /// When the line will rise by itself.
    constexpr uint64_t deadline(uint64_t now) const { return control == enable && now < cval ? cval : abi::no_deadline; }

    constexpr uint64_t read(uint64_t reg, uint64_t now) const {
        if (reg == cntp_ctl) [[likely]] { return uint64_t{control} | (condition(now) ? istatus : 0); }
        return reg == cntp_cval ? cval : static_cast<uint32_t>(cval - now);
    }

    /// A write of TVAL that is repeated later counts from later, as if the guest had been slower:
    /// no journal is needed.
    constexpr void write(uint64_t reg, uint64_t value, uint64_t now) {
        if (reg == cntp_cval) {
            cval = value;
        } else if (reg == cntp_tval) {
            cval = now + static_cast<uint64_t>(static_cast<int32_t>(static_cast<uint32_t>(value)));
        } else {
            control = static_cast<uint32_t>(value) & (enable | imask);
        }
    }
};

} // namespace timer
