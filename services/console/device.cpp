// SPDX-License-Identifier: MIT
// Drives the physical PL011.
#include "services/console/device.hpp"

namespace console {

using namespace pl011;

namespace {
constexpr uint32_t input_interrupts = interrupt::rx | interrupt::rx_timeout;
constexpr unsigned patience = 100'000; ///< looks at BUSY before the set-up goes on
} // namespace

Device::Device(void* registers) : registers_(static_cast<volatile uint32_t*>(registers)) {
    for (unsigned i = 0; i < patience && sending(); ++i) {}
    write(Register::imsc, 0);
    write(Register::cr, 0);
    write(Register::ibrd, 13); // 115200 of 24 MHz
    write(Register::fbrd, 1);
    write(Register::lcr_h, line::eight_bits | line::fifos);
    write(Register::ifls, 2 << 3 | 1); // receive at 1/2, send again at 1/4
    write(Register::icr, interrupt::all);
    write(Register::cr, control::enable | control::transmit | control::receive | control::dtr | control::rts);
    set_mask(input_interrupts);
}

void Device::set_mask(uint32_t mask) {
    if (mask == mask_) { return; }
    mask_ = mask;
    write(Register::imsc, mask);
}

bool Device::fifo_full() const { return (read(Register::fr) & flag::tx_full) != 0; }
bool Device::sending() const { return (read(Register::fr) & flag::busy) != 0; }
void Device::clear_interrupts() { write(Register::icr, interrupt::all & ~interrupt::tx); }

unsigned Device::send(ByteQueue& queue, unsigned limit) {
    bool full = false;
    unsigned sent = 0;
    for (; sent < limit && !queue.empty(); ++sent) {
        full = fifo_full();
        if (full) { break; }
        write(Register::dr, queue.front());
        queue.pop();
    }
    set_mask(full ? mask_ | interrupt::tx : mask_ & ~interrupt::tx);
    return sent;
}

bool Device::receive(uint8_t& byte) {
    if ((read(Register::fr) & flag::rx_empty) != 0) { return false; }
    byte = static_cast<uint8_t>(read(Register::dr));
    return true;
}

void Device::want_input(bool wanted) { set_mask(wanted ? mask_ | input_interrupts : mask_ & ~input_interrupts); }

} // namespace console
