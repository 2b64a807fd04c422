// SPDX-License-Identifier: MIT
// The model of a PL011 over two rings. It touches no hardware: what its owner must do is left in
// `effects()`.
//
// The rings are the FIFOs. The transmit FIFO is the last `depth` bytes of the tx ring: it is empty
// as long as the ring has more room than that, and full when the ring is. The receive FIFO is the
// first `depth` bytes of the rx ring; the others wait on the line, as if a hardware handshake held
// them, and come when the FIFO has been emptied and an eighth of the time has passed that they would take: a driver that reads
// until there is nothing must come to an end. So no byte is lost in either direction. Bytes leave at once: each write passes the transmit
// FIFO's level and raises its interrupt. Yet who looks at FR sees the FIFO full once for each `depth` of
// bytes: a driver then goes over to the transmit interrupt (Linux does), where it need not look before each byte and has half as many exits.
// Two departures from the TRM, for software that leaves the
// set-up to its firmware: data are sent though CR does not enable the transmitter; a write to a
// full FIFO is repeated, not lost.
//
// All state that outlives a restart is in `State`, for which zeroed memory is a PL011 after reset.
// The caller holds the client's lock, except for peek().
#pragma once
#include "services/lib/journal.hpp"
#include "services/lib/ring.hpp"
#include "services/uart/registers.hpp"

namespace pl011 {

/// Journal points: which position an operation's committing store changes.
enum class Point : uint32_t { transmit, receive, loop_in, loop_out, interrupts };

using Journal = service::Journal<16>;

struct State {
    static constexpr uint32_t ready = 0x1130'11d0;
    static constexpr uint32_t loop_size = 32;

    uint32_t registers[static_cast<unsigned>(Register::count)]; ///< as read; FR, RIS and MIS are derived
    uint32_t magic;
    uint64_t interrupts; ///< RIS in the low half, the count of its changes in the high half
    uint32_t received;   ///< rx ring position up to which bytes are in the receive FIFO
    uint32_t loop_in;    ///< bytes ever put into the loopback's FIFO, ...
    uint32_t loop_out;   ///< ... and taken from it
    uint32_t tx_above;   ///< the transmit FIFO is above its level: falling below it raises the interrupt
    uint32_t tx_seen;    ///< tx ring position: FR has shown that the bytes before it went through the FIFO, or need not
    uint32_t reserved;
    uint64_t rx_deadline; ///< when the receive time-out, or (FIFO empty) more input is due, in ticks; 0: never
    uint16_t loop[loop_size];
    Journal journal;
};

/// What the owner must do after an operation.
namespace effect {
constexpr uint32_t line = 1;  ///< the interrupt line changed: line()
constexpr uint32_t wake = 2;  ///< signal the console
constexpr uint32_t timer = 4; ///< rx_deadline changed
} // namespace effect

/// In FR as stored: the transmit FIFO is not empty, so look at the ring.
constexpr uint32_t look_again = 1u << 31;

class Pl011 {
public:
    using Request = service::Request;
    using Answer = service::Answer;
    /// Called in the middle of an access to DR, before and after its committing store; tests kill it there.
    using Probe = void (*)(Point point, bool committed);

    constexpr Pl011() = default;
    /// Goes on with what `state` holds; poll() must follow. `hertz`: ticks per second.
    Pl011(State& state, service::RingProducer tx, service::RingConsumer rx, uint64_t hertz);

    /// The frequent reads, without the lock: true if `value` is the register's. Any other: read().
    [[gnu::always_inline]] bool peek(uint32_t offset, uint64_t& value) const {
        uint32_t const word = offset / 4;
        if (word == 0 || word >= static_cast<uint32_t>(Register::count)) { return false; }
        uint32_t const reg = service::load_once(state_->registers[word]);
        value = reg >> (offset % 4 * 8);
        return (reg & look_again) == 0;
    }
    Answer read(Request const& request, uint32_t offset, uint64_t now);

    enum class Sent : uint8_t { not_done, done, done_wake_console };
    /// The frequent write, to DR with room in the ring. Sent::not_done: use write().
    [[gnu::always_inline]] Sent send(Request const& request, uint32_t byte) {
        auto tx = tx_; // all members at once, before the first store
        auto* const journal = journal_;
        uint32_t const head = tx.own_head();
        if (tx.at_limit(head) || request.repeated) { return Sent::not_done; }
        journal->begin(request, static_cast<uint32_t>(Point::transmit), head);
        tx.store(head, static_cast<uint8_t>(byte));
        return tx.publish(head, head + 1) == service::Wake::yes ? Sent::done_wake_console : Sent::done;
    }
    Answer write(Request const& request, uint32_t offset, uint32_t value, uint64_t now);

    /// The console moved a ring: new input, or room for output.
    void poll(uint64_t now);
    /// Raises the receive time-out if it is due.
    void time(uint64_t now);
    /// As after power-on; unread input is dropped.
    void reset();

    bool line() const { return reg(Register::mis) != 0; }
    uint64_t rx_deadline() const { return state_->rx_deadline; }
    uint32_t take_effects() {
        uint32_t const taken = effects_;
        effects_ = 0;
        return taken;
    }
    void set_probe(Probe probe) {
        probe_ = probe;
        choose_path();
    }

private:
    uint32_t reg(Register which) const { return state_->registers[static_cast<uint32_t>(which)]; }
    void set(Register which, uint32_t value) {
        __atomic_store_n(&state_->registers[static_cast<uint32_t>(which)], value, __ATOMIC_RELAXED);
    }
    uint32_t ris() const { return static_cast<uint32_t>(state_->interrupts); }
    uint32_t ris_changes() const { return static_cast<uint32_t>(state_->interrupts >> 32); }
    void set_ris(uint32_t value);
    void raise(uint32_t bits) { set_ris(ris() | bits); }
    void lower(uint32_t bits) { set_ris(ris() & ~bits); }

    bool by_interrupt() const { return (reg(Register::imsc) & interrupt::tx) != 0; }
    bool loopback() const { return (reg(Register::cr) & control::loopback) != 0; }
    uint32_t depth() const { return (reg(Register::lcr_h) & line::fifos) != 0 ? fifo_depth : 1; }
    uint32_t rx_trigger() const;
    uint32_t tx_trigger() const;
    uint32_t rx_level() const { return rx_in_fifo() + loop_level(); }
    uint32_t rx_in_fifo() const;
    uint32_t loop_level() const { return state_->loop_in - state_->loop_out; }
    uint32_t tx_level() const;

    uint32_t position(uint32_t point) const;
    void start_afresh();
    void recover();
    void flush();
    void receive(uint64_t now);
    void arm_timeout(uint64_t now);
    uint64_t bit_times(uint64_t bits) const;
    void refresh_transmit();
    bool tx_burst() const { return depth() > 1 && tx_.own_head() - state_->tx_seen >= depth(); }
    void forget_burst();
    void refresh();
    void refresh_flags();
    void choose_path();
    void settle_receive(uint64_t now);
    void receive_now(uint64_t now);
    uint32_t modem() const;
    void note_errors(uint32_t character);

    Answer read_data(Request const& request, uint64_t now);
    Answer write_data(Request const& request, uint32_t value, uint64_t now);
    void loop_back(uint16_t character, uint64_t now);
    void write_line_control(uint32_t value, uint64_t now);
    void write_control(uint32_t value, uint64_t now);
    void clear_interrupts(Request const& request, uint32_t bits);

    State* state_ = nullptr;
    service::RingProducer tx_; ///< its limit: how far send() goes
    Journal* journal_ = nullptr;
    service::RingConsumer rx_;
    uint64_t hertz_ = 0;
    uint32_t effects_ = 0;
    Probe probe_ = nullptr;
};

} // namespace pl011
