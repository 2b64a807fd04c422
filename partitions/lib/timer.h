// SPDX-License-Identifier: MIT
// Owns this CPU's two EL1 generic timers: one shot and periodic, and how often they fired.
#pragma once

#include <cstdint>

namespace guest {

/// One CPU's virtual (CNTV) or physical (CNTP) timer; its handler must call on_interrupt().
class Timer {
public:
    enum class Kind : uint8_t { virtual_timer, physical_timer };
    constexpr explicit Timer(Kind kind) : kind_(kind) {}

    /// Fires after `micros`, and again every `micros` if periodic. Starts the count at 0.
    void start(uint64_t micros, bool periodic);
    void stop();
    void on_interrupt();

    uint32_t fired() const { return fired_; }
    /// Interrupts that came although the timer's condition did not hold.
    uint32_t spurious() const { return spurious_; }

private:
    uint64_t now() const;
    void arm();
    bool due() const;

    Kind kind_;
    bool periodic_ = false;
    uint64_t period_ = 0;
    uint64_t deadline_ = 0;
    volatile uint32_t fired_ = 0;
    volatile uint32_t spurious_ = 0;
};

uint64_t micros_to_ticks(uint64_t micros);

/// A bound on a busy wait, in virtual time.
class Deadline {
public:
    explicit Deadline(uint64_t micros);
    bool passed() const;

private:
    uint64_t end_;
};

} // namespace guest
