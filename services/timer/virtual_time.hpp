// SPDX-License-Identifier: MIT
// A VM's virtual time: CNTVCT = CNTPCT - offset, which starts at zero and stands still while the VM
// is paused.
#pragma once
#include <cstdint>

namespace timer {

/// In the state region; all zero: offset 0, running. Every step may be repeated after a kill at any
/// place: `stopped` alone says whether the VM is paused, and what a resume writes follows from
/// `stopped` alone.
struct VirtualTime {
    uint64_t offset;  ///< CNTVOFF while the VM runs
    uint64_t stopped; ///< 0: the VM runs; else the virtual count at which it was paused, plus one

    void reset(uint64_t now) {
        stopped = 0;
        offset = now;
    }
    void pause(uint64_t now) {
        if (stopped == 0) { stopped = now - offset + 1; }
    }
    /// The offset to give to every vCPU; then resumed().
    uint64_t resume_offset(uint64_t now) const { return stopped == 0 ? offset : now - (stopped - 1); }
    void resumed(uint64_t new_offset) {
        offset = new_offset;
        __atomic_signal_fence(__ATOMIC_SEQ_CST); // the store that commits comes last
        stopped = 0;
    }
};

} // namespace timer
