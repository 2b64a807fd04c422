// SPDX-License-Identifier: MIT
// Owns a PL011 (Arm DDI 0183G): polled output, and output and input by interrupt with both FIFOs.

#include "pl011.h"

#include "cpu.h"

namespace guest {

namespace {

constexpr uint64_t dr = 0x00, fr = 0x18, lcr_h = 0x2c, cr = 0x30, ifls = 0x34, imsc = 0x38;
constexpr uint64_t mis = 0x40, icr = 0x44;

constexpr uint32_t fr_busy = 1 << 3, fr_rx_empty = 1 << 4, fr_tx_full = 1 << 5;
constexpr uint32_t lcr_fifos = 1 << 4, lcr_8_bits = 3 << 5;
constexpr uint32_t cr_enable = 1 << 0, cr_tx = 1 << 8, cr_rx = 1 << 9;
constexpr uint32_t int_rx = 1 << 4, int_tx = 1 << 5, int_rx_timeout = 1 << 6, int_errors = 0xf << 7;
constexpr uint32_t levels = 0 | 2 << 3; // TX at 1/8 full, RX at 1/2
constexpr uint32_t dr_errors = 0xf << 8;
constexpr unsigned fifo_size = 16;

constinit Pl011 the_uart;

} // namespace

Pl011& uart() { return the_uart; }

uint32_t Pl011::get(uint64_t offset) const { return mmio_read<uint32_t>(base_ + offset); }

void Pl011::set(uint64_t offset, uint32_t value) const { mmio_write(base_ + offset, value); }

void Pl011::start(uint64_t base, bool is_set_up) {
    base_ = base;
    is_set_up_ = is_set_up;
    while (get(fr) & fr_busy) yield();
    if (is_set_up) return set(imsc, 0);
    set(cr, 0);
    set(imsc, 0);
    set(lcr_h, lcr_8_bits | lcr_fifos);
    set(cr, cr_enable | cr_tx | cr_rx);
}

void Pl011::start_interrupts() {
    IrqGuard masked;
    if (!is_set_up_) set(ifls, levels);
    set(icr, int_errors);
    by_interrupt_ = true;
    receive(); // what came before a level could be crossed
    mask(int_rx | int_rx_timeout);
}

void Pl011::mask(uint32_t interrupts) {
    enabled_ = interrupts;
    set(imsc, interrupts);
}

void Pl011::on_interrupt() {
    uint32_t why = get(mis);
    if (why & (int_rx | int_rx_timeout)) {
        set(icr, why & (int_rx | int_rx_timeout));
        receive();
    }
    if (why & int_tx) {
        ++tx_interrupts_;
        send(fifo_size / 2); // the FIFO is at most 1/8 full, so this many fit
        if (waiting_.empty()) {
            mask(enabled_ & ~int_tx);
            set(icr, int_tx);
        }
    }
}

void Pl011::receive() {
    while (!(get(fr) & fr_rx_empty)) {
        uint32_t data = get(dr);
        if (!(data & dr_errors) && !received_.full()) received_.push(static_cast<char>(data));
    }
}

bool Pl011::read(char& c) {
    IrqGuard masked;
    if (received_.empty()) return false;
    c = received_.pop();
    return true;
}

void Pl011::put_polled(char c) const {
    while (get(fr) & fr_tx_full) yield();
    set(dr, static_cast<uint8_t>(c));
}

void Pl011::send(unsigned limit) {
    for (; limit && !waiting_.empty() && !(get(fr) & fr_tx_full); --limit) set(dr, static_cast<uint8_t>(waiting_.pop()));
}

void Pl011::write(const char* text, size_t size) {
    if (!base_) return;
    if (!by_interrupt_) {
        for (size_t i = 0; i < size; ++i) put_polled(text[i]);
        return;
    }
    IrqGuard masked;
    for (size_t i = 0; i < size; ++i) {
        while (waiting_.full()) send(fifo_size);
        waiting_.push(text[i]);
    }
    if (enabled_ & int_tx) return; // the handler goes on by itself
    // The interrupt comes when the FIFO drains *through* its level: fill it above that first.
    send(fifo_size);
    if (!waiting_.empty()) mask(enabled_ | int_tx);
}

void Pl011::flush() {
    if (!base_) return;
    IrqGuard masked;
    while (!waiting_.empty()) send(fifo_size);
    while (get(fr) & fr_busy) yield();
}

} // namespace guest
