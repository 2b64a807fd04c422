// SPDX-License-Identifier: MIT
// The PL011's registers: reads, writes and what follows from them for flags and interrupts.
#include "services/uart/pl011.hpp"

namespace pl011 {
namespace {

/// FIFO level for a three-bit field of IFLS: 1/8, 1/4, 1/2, 3/4, 7/8.
uint32_t level_of(uint32_t field) {
    constexpr uint8_t eighths[8] = {1, 2, 4, 6, 7, 7, 7, 7};
    return fifo_depth * eighths[field & 7] / 8;
}

} // namespace

Pl011::Pl011(State& state, service::RingProducer tx, service::RingConsumer rx, uint64_t hertz)
    : state_(&state), tx_(tx), journal_(&state.journal), rx_(rx), hertz_(hertz) {
    if (state.magic == State::ready) {
        recover();
    } else {
        start_afresh();
    }
    choose_path();
}

void Pl011::start_afresh() {
    state_->magic = 0;
    for (auto& reg : state_->registers) { reg = 0; }
    set(Register::cr, control::transmit | control::receive);
    set(Register::ifls, 0x12);
    state_->interrupts = 0;
    state_->received = rx_.own_tail();
    state_->loop_in = state_->loop_out = 0;
    state_->tx_above = 0;
    state_->tx_seen = tx_.own_head();
    state_->rx_deadline = 0;
    journal_->clear();
    refresh();
    state_->magic = State::ready;
}

uint32_t Pl011::position(uint32_t point) const {
    switch (static_cast<Point>(point)) {
    case Point::transmit: return tx_.own_head();
    case Point::receive: return rx_.own_tail();
    case Point::loop_in: return state_->loop_in;
    case Point::loop_out: return state_->loop_out;
    case Point::interrupts: return ris_changes();
    }
    return 0;
}

void Pl011::recover() {
    journal_->recover([this](uint32_t point) { return position(point); });
    if (rx_level() < rx_trigger()) { lower(interrupt::rx); }
    if (rx_level() == 0) { lower(interrupt::rx_timeout); }
    refresh();
}

void Pl011::reset() {
    rx_.set_tail(rx_.head());
    if (rx_.take_request_for_room()) { effects_ |= effect::wake; }
    start_afresh();
    choose_path();
    effects_ |= effect::line | effect::timer;
}

/// How far send() may go: until the FIFO has something in it, or FR is to show it full. If nobody has looked at that yet, or will as the
/// interrupt is used, it need not stop for it.
void Pl011::choose_path() {
    bool const quick = !loopback() && probe_ == nullptr && tx_.capacity() > 2 * fifo_depth && (ris() & interrupt::tx) != 0;
    uint32_t const free = tx_.free();
    uint32_t count = quick && free > fifo_depth ? free - fifo_depth : 0;
    if (!by_interrupt() && !tx_burst() && count > fifo_depth) { count = fifo_depth; }
    tx_.set_limit(tx_.own_head() + count);
}

uint32_t Pl011::rx_trigger() const { return depth() == 1 ? 1 : level_of(reg(Register::ifls) >> 3); }

uint32_t Pl011::tx_trigger() const { return depth() == 1 ? 0 : level_of(reg(Register::ifls)); }

uint32_t Pl011::tx_level() const {
    uint32_t const room = tx_.free();
    return room >= depth() ? 0 : depth() - room;
}

uint32_t Pl011::rx_in_fifo() const {
    uint32_t const count = state_->received - rx_.own_tail();
    uint32_t const there = rx_.used();
    return count <= there ? count : 0; // `received` behind the tail: a restart before it followed
}

uint32_t Pl011::modem() const {
    uint32_t const cr = reg(Register::cr);
    if (!loopback()) { return flag::cts | flag::dsr | flag::dcd; }
    return ((cr & control::rts) != 0 ? flag::cts : 0) | ((cr & control::dtr) != 0 ? flag::dsr : 0) |
           ((cr & control::out1) != 0 ? flag::dcd : 0) | ((cr & control::out2) != 0 ? flag::ri : 0);
}

void Pl011::set_ris(uint32_t value) {
    uint64_t const changes = state_->interrupts >> 32;
    uint64_t const next = (changes + 1) << 32 | (value & interrupt::all);
    __atomic_store_n(&state_->interrupts, next, __ATOMIC_RELAXED);
    choose_path();
}

void Pl011::refresh_flags() {
    uint32_t const rx = rx_level();
    uint32_t tx = tx_level();
    if (tx != 0) {
        tx_.ask_for_room();
        tx = tx_level();
    }
    if (tx_burst()) { tx = depth(); }
    uint32_t flags = modem();
    flags |= rx == 0 ? flag::rx_empty : 0;
    flags |= rx >= depth() ? flag::rx_full : 0;
    flags |= tx == 0 ? flag::tx_empty : flag::busy | look_again;
    flags |= tx >= depth() ? flag::tx_full : 0;
    flags |= by_interrupt() ? look_again : 0; // send() does not stop to refresh it
    set(Register::fr, flags);
}

void Pl011::refresh() {
    refresh_flags();
    bool const before = line();
    set(Register::ris, ris());
    set(Register::mis, ris() & reg(Register::imsc));
    if (line() != before) { effects_ |= effect::line; }
}

void Pl011::refresh_transmit() {
    if (state_->tx_above != 0 && tx_level() <= tx_trigger()) {
        raise(interrupt::tx);
        state_->tx_above = 0;
    }
}

/// The line has taken what was in the FIFO.
void Pl011::forget_burst() {
    state_->tx_seen = tx_.own_head();
    choose_path();
    refresh_flags();
}

/// Ticks that so many bits take on the line: 16 divided clocks of 24 MHz each.
uint64_t Pl011::bit_times(uint64_t bits) const {
    uint64_t divisor = reg(Register::ibrd) * 64ull + reg(Register::fbrd);
    if (divisor < 64) { divisor = 13 * 64 + 1; } // 115200 baud
    return hertz_ * bits * divisor / 96'000'000 + 1;
}

/// When something is due that no access brings: the receive time-out, or, for a FIFO that was emptied, the line's next bytes.
void Pl011::arm_timeout(uint64_t now) {
    constexpr uint64_t timeout_bits = 32, bits_per_byte = 10, haste = 8;
    uint64_t due = 0;
    if (depth() > 1 && rx_level() > 0) {
        due = now + bit_times(timeout_bits);
    } else if (depth() > 1 && rx_level() == 0 && rx_.used() > 0) {
        due = now + bit_times(bits_per_byte * depth() / haste);
    }
    if (due != state_->rx_deadline) {
        state_->rx_deadline = due;
        effects_ |= effect::timer;
    }
}

void Pl011::receive(uint64_t now) {
    constexpr uint32_t on = control::enable | control::receive;
    if (loopback() || loop_level() != 0 || (reg(Register::cr) & on) != on) { return; }
    if (rx_level() == 0 && now < state_->rx_deadline) { return; } // not so soon
    uint32_t const there = rx_.used();
    uint32_t const level = there < depth() ? there : depth();
    if (level <= rx_in_fifo()) { return; }
    if (level >= rx_trigger()) { raise(interrupt::rx); }
    state_->received = rx_.own_tail() + level;
    arm_timeout(now);
}

void Pl011::settle_receive(uint64_t now) {
    if (rx_level() < rx_trigger()) { lower(interrupt::rx); }
    if (rx_level() == 0) { lower(interrupt::rx_timeout); }
    arm_timeout(now);
    if (depth() == 1) { receive(now); }
}

/// The set-up changed: what waits on the line need not wait longer.
void Pl011::receive_now(uint64_t now) {
    state_->rx_deadline = 0;
    receive(now);
}

void Pl011::poll(uint64_t now) {
    receive(now);
    refresh_transmit();
    refresh();
}

void Pl011::time(uint64_t now) {
    if (state_->rx_deadline == 0 || now < state_->rx_deadline) { return; }
    state_->rx_deadline = 0;
    if (rx_level() > 0) {
        raise(interrupt::rx_timeout);
    } else {
        receive(now);
    }
    refresh();
}

/// Both FIFOs are empty afterwards; what waits in the rx ring is received again.
void Pl011::flush() {
    state_->received = rx_.own_tail();
    state_->loop_out = state_->loop_in;
    lower(interrupt::rx | interrupt::rx_timeout);
}

service::Answer Pl011::read(Request const& request, uint32_t offset, uint64_t now) {
    uint32_t const word = offset / 4;
    if (offset == 0) { return read_data(request, now); }
    if (word == static_cast<uint32_t>(Register::fr)) { poll(now); }
    constexpr auto first_id = static_cast<uint32_t>(Register::first_id);
    uint32_t value = 0;
    if (word > 0 && word < static_cast<uint32_t>(Register::count)) {
        value = state_->registers[word] & ~look_again;
    } else if (word >= first_id && word < first_id + sizeof(ids)) {
        value = ids[word - first_id];
    }
    if (word == static_cast<uint32_t>(Register::fr) && tx_burst()) {
        state_->tx_above = 1; // who waits for the interrupt now gets it, though he may clear it first
        forget_burst();
    }
    return Answer::advance(value >> (offset % 4 * 8));
}

void Pl011::note_errors(uint32_t character) {
    uint32_t const sticky = reg(Register::rsr) & data::overrun_status;
    set(Register::rsr, sticky | (character >> data::error_shift & data::errors));
}

service::Answer Pl011::read_data(Request const& request, uint64_t now) {
    if (request.repeated) {
        if (auto const* done = journal_->done(request)) {
            note_errors(static_cast<uint32_t>(done->answer));
            return Answer::advance(done->answer);
        }
    }
    uint32_t character = 0;
    if (rx_in_fifo() > 0) {
        uint32_t const tail = rx_.own_tail();
        character = rx_.at(tail);
        journal_->begin(request, static_cast<uint32_t>(Point::receive), tail, character);
        if (probe_ != nullptr) { probe_(Point::receive, false); }
        rx_.set_tail(tail + 1);
        if (probe_ != nullptr) { probe_(Point::receive, true); }
        if (rx_.take_request_for_room()) { effects_ |= effect::wake; }
    } else if (loop_level() > 0) {
        uint32_t const out = state_->loop_out;
        character = state_->loop[out % State::loop_size];
        journal_->begin(request, static_cast<uint32_t>(Point::loop_out), out, character);
        __atomic_store_n(&state_->loop_out, out + 1, __ATOMIC_RELAXED);
    } else {
        return Answer::advance(0);
    }
    note_errors(character);
    settle_receive(now);
    refresh();
    return Answer::advance(character);
}

} // namespace pl011
