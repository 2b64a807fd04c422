// SPDX-License-Identifier: MIT
// Owns this CPU's two EL1 generic timers.

#include "timer.h"

#include "cpu.h"

namespace guest {

namespace {

constexpr uint64_t ctl_enable = 1 << 0, ctl_status = 1 << 2;

uint64_t virtual_now() {
    isb(); // no early read of the counter
    return CntvctEl0::read();
}

} // namespace

uint64_t micros_to_ticks(uint64_t micros) { return micros * CntfrqEl0::read() / 1'000'000; }

Deadline::Deadline(uint64_t micros) : end_(virtual_now() + micros_to_ticks(micros)) {}

bool Deadline::passed() const { return virtual_now() >= end_; }

uint64_t Timer::now() const {
    if (kind_ == Kind::virtual_timer) return virtual_now();
    isb();
    return CntpctEl0::read();
}

/// Loads the deadline before enabling, so that an old one cannot fire. A single shot goes by TVAL
/// if it fits, a period by CVAL: both are in use on real systems.
void Timer::arm() {
    bool by_tval = !periodic_ && period_ < 1ull << 31;
    if (kind_ == Kind::virtual_timer) {
        by_tval ? CntvTvalEl0::write(period_) : CntvCvalEl0::write(deadline_);
        CntvCtlEl0::write(ctl_enable);
    } else {
        by_tval ? CntpTvalEl0::write(period_) : CntpCvalEl0::write(deadline_);
        CntpCtlEl0::write(ctl_enable);
    }
    isb();
}

bool Timer::due() const {
    uint64_t control = kind_ == Kind::virtual_timer ? CntvCtlEl0::read() : CntpCtlEl0::read();
    return control & ctl_status && control & ctl_enable;
}

void Timer::start(uint64_t micros, bool periodic) {
    IrqGuard masked;
    fired_ = 0;
    spurious_ = 0;
    periodic_ = periodic;
    period_ = micros_to_ticks(micros);
    deadline_ = now() + period_;
    arm();
}

void Timer::stop() {
    if (kind_ == Kind::virtual_timer)
        CntvCtlEl0::write(0);
    else
        CntpCtlEl0::write(0);
    isb(); // the line is down before the interrupt is completed
}

void Timer::on_interrupt() {
    if (!due()) {
        spurious_ = spurious_ + 1;
        return;
    }
    fired_ = fired_ + 1;
    if (!periodic_) return stop();
    deadline_ += period_;
    if (uint64_t t = now(); t > deadline_) // late by a period: do not run after lost ticks
        deadline_ = t + period_;
    arm();
}

} // namespace guest
