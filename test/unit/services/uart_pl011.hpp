// SPDX-License-Identifier: MIT
// A PL011 between two rings, as the host tests drive it: the guest's registers on one side, the
// console's ring ends on the other.
#pragma once
#include "services/uart/pl011.hpp"
#include <memory>
#include <string>
#include <vector>

struct Killed {}; ///< thrown in the middle of an access, as if the service had been killed there

struct Device {
    using Register = pl011::Register;
    static constexpr uint32_t tick_rate = 1'000'000; ///< a tick is a microsecond

    explicit Device(size_t ring_size = 4096)
        : tx_memory(ring_size / 8), rx_memory(ring_size / 8), state(new pl011::State()), console_tx(tx_memory.data(), ring_size),
          console_rx(rx_memory.data(), ring_size), ring_bytes(ring_size) {
        restart();
    }

    /// A new life of the service over the same state and rings.
    void restart() {
        model = pl011::Pl011(*state, {tx_memory.data(), ring_bytes}, {rx_memory.data(), ring_bytes}, tick_rate);
        model.poll(now);
        effects = model.take_effects();
    }

    service::Request next(unsigned vcpu = 0) { return {0, vcpu, false, ++sequence[vcpu]}; }
    static service::Request again(service::Request request) {
        request.repeated = true;
        return request;
    }

    service::Answer read_as(service::Request request, uint32_t offset) {
        uint64_t value = 0;
        if (model.peek(offset, value)) { return service::Answer::advance(value); }
        return model.read(request, offset, now);
    }
    service::Answer write_as(service::Request request, uint32_t offset, uint32_t value) {
        if (offset == 0) {
            auto const sent = model.send(request, value);
            if (sent != pl011::Pl011::Sent::not_done) {
                quick_writes++;
                if (sent == pl011::Pl011::Sent::done_wake_console) { effects |= pl011::effect::wake; }
                return service::Answer::advance();
            }
        }
        auto const answer = model.write(request, offset, value, now);
        effects |= model.take_effects();
        return answer;
    }

    uint32_t read(uint32_t offset) {
        auto const answer = read_as(next(), offset);
        effects |= model.take_effects();
        return static_cast<uint32_t>(answer.value);
    }
    uint32_t read(Register reg) { return read(pl011::offset(reg)); }
    service::Answer write(Register reg, uint32_t value) { return write_as(next(), pl011::offset(reg), value); }
    uint32_t flags() { return read(Register::fr); }
    /// FR after a look at which the FIFO may have shown itself full just because much has gone through it.
    uint32_t flags_again() {
        flags();
        return flags();
    }
    uint32_t raw() { return read(Register::ris); }

    /// What the driver does first: FIFOs on, receiver and transmitter on.
    void enable(bool fifos = true) {
        write(Register::lcr_h, pl011::line::eight_bits | (fifos ? pl011::line::fifos : 0));
        write(Register::cr, pl011::control::enable | pl011::control::transmit | pl011::control::receive);
    }

    /// The console gives input and signals.
    void type(std::string const& text) {
        service::Wake wake;
        if (!console_rx.write({reinterpret_cast<uint8_t const*>(text.data()), text.size()}, wake)) {
            throw std::string("the rx ring is full");
        }
        model.poll(now);
        effects |= model.take_effects();
    }

    /// The console takes at most `count` bytes, and signals if the uart asked for that.
    std::string take(size_t count = ~size_t{0}) {
        std::string text;
        while (text.size() < count && !console_tx.empty()) {
            text += static_cast<char>(console_tx.peek()[0]);
            console_tx.consume(1);
        }
        if (console_tx.take_request_for_room()) {
            model.poll(now);
            effects |= model.take_effects();
        }
        return text;
    }

    /// Time passes, and the service wakes at what it asked for.
    void wait(uint64_t ticks) {
        now += ticks;
        model.time(now);
        effects |= model.take_effects();
    }

    bool took(uint32_t effect) {
        bool const there = (effects & effect) != 0;
        effects &= ~effect;
        return there;
    }

    std::vector<uint64_t> tx_memory, rx_memory;
    std::unique_ptr<pl011::State> state;
    service::RingConsumer console_tx;
    service::RingProducer console_rx;
    size_t ring_bytes;
    pl011::Pl011 model;
    uint64_t sequence[16] = {};
    uint64_t now = 1000;
    uint32_t effects = 0;
    unsigned quick_writes = 0;
};
