// SPDX-License-Identifier: MIT
// The physical PL011 at 115200 8N1 with FIFOs. Nothing here waits for it.
#pragma once
#include "services/console/byte_queue.hpp"
#include "services/uart/registers.hpp"

namespace console {

class Device {
public:
    Device() = default;
    /// Sets it up; what it was sending is sent first (bounded).
    explicit Device(void* registers);

    /// Sends from the queue until the FIFO is full or `limit` bytes went. If the FIFO is full, its
    /// interrupt will say when there is room.
    /// Returns how many went.
    unsigned send(ByteQueue& queue, unsigned limit);
    /// Takes a byte that has arrived.
    bool receive(uint8_t& byte);
    /// While input is not wanted its interrupts are masked; the FIFO then holds the sender back, as
    /// far as it can.
    void want_input(bool wanted);
    bool fifo_full() const;
    bool sending() const;
    void clear_interrupts();

private:
    uint32_t read(pl011::Register reg) const { return registers_[static_cast<uint32_t>(reg)]; }
    void write(pl011::Register reg, uint32_t value) { registers_[static_cast<uint32_t>(reg)] = value; }
    void set_mask(uint32_t mask);

    volatile uint32_t* registers_ = nullptr;
    uint32_t mask_ = 0;
};

} // namespace console
