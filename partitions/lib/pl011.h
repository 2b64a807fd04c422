// SPDX-License-Identifier: MIT
// Owns a PL011: polled output, and output and input by interrupt with both FIFOs.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace guest {

/// A ring of bytes between thread and interrupt handler; a power of two in size.
template <size_t capacity> class ByteRing {
public:
    bool empty() const { return head_ == tail_; }
    bool full() const { return head_ - tail_ == capacity; }
    void push(char c) { bytes_[head_++ % capacity] = c; }
    char pop() { return bytes_[tail_++ % capacity]; }

private:
    size_t head_ = 0;
    size_t tail_ = 0;
    char bytes_[capacity] = {};
};

class Pl011 {
public:
    /// 8N1 with FIFOs, all interrupts masked; the divisors stay as the loader left them. One that `is_set_up` has no
    /// registers for that (SBSA): only its interrupts are masked.
    void start(uint64_t base, bool is_set_up);
    /// From here on output and input go by interrupt. Only CPU 0 may use the UART then.
    void start_interrupts();
    void on_interrupt();

    void write(const char* text, size_t size);
    /// Takes a received byte; false if there is none.
    bool read(char& c);
    bool has_input() const { return !received_.empty(); }
    bool output_done() const { return waiting_.empty(); }
    /// Sends all that waits, polled, and returns when the last bit has left.
    void flush();
    uint32_t tx_interrupts() const { return tx_interrupts_; }

private:
    uint32_t get(uint64_t offset) const;
    void set(uint64_t offset, uint32_t value) const;
    void put_polled(char c) const;
    void send(unsigned limit);
    void receive();
    void mask(uint32_t interrupts);

    uint64_t base_ = 0;
    bool is_set_up_ = false;
    bool by_interrupt_ = false;
    uint32_t enabled_ = 0;
    uint32_t tx_interrupts_ = 0;
    ByteRing<1024> waiting_;
    ByteRing<256> received_;
};

/// The guest's one UART.
Pl011& uart();

} // namespace guest
