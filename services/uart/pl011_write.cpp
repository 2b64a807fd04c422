// SPDX-License-Identifier: MIT
// The PL011's writes: data out, loopback, line control, control, interrupt clear.
#include "services/uart/pl011.hpp"

namespace pl011 {

service::Answer Pl011::write(Request const& request, uint32_t offset, uint32_t value, uint64_t now) {
    switch (static_cast<Register>(offset % 4 == 0 ? offset / 4 : ~0u)) {
    case Register::dr: return write_data(request, value, now);
    case Register::rsr: set(Register::rsr, 0); break;
    case Register::ilpr: set(Register::ilpr, value & 0xff); break;
    case Register::ibrd: set(Register::ibrd, value & 0xffff); break;
    case Register::fbrd: set(Register::fbrd, value & 0x3f); break;
    case Register::lcr_h: write_line_control(value & 0xff, now); break;
    case Register::cr: write_control(value & 0xff87, now); break;
    case Register::ifls: set(Register::ifls, value & 0x3f); break;
    case Register::imsc:
        set(Register::imsc, value & interrupt::all);
        forget_burst();
        break;
    case Register::icr: clear_interrupts(request, value); break;
    case Register::dmacr: set(Register::dmacr, value & 7); break;
    default: break;
    }
    refresh();
    return Answer::advance();
}

service::Answer Pl011::write_data(Request const& request, uint32_t value, uint64_t now) {
    if (request.repeated && journal_->done(request) != nullptr) { return Answer::advance(); }
    auto const byte = static_cast<uint8_t>(value);
    if (loopback()) {
        journal_->begin(request, static_cast<uint32_t>(Point::loop_in), state_->loop_in);
        loop_back(byte, now);
        refresh();
        return Answer::advance();
    }
    if (tx_.free() == 0) {
        refresh_flags(); // asks for room
        if (tx_.free() == 0) { return Answer::retry(); }
    }
    uint32_t const head = tx_.own_head();
    journal_->begin(request, static_cast<uint32_t>(Point::transmit), head);
    tx_.store(head, byte);
    // The byte leaves at once, past the level; unless the ring is so full that the FIFO stays above
    // it.
    uint32_t const room = tx_.free() - 1;
    if (room < depth() && depth() - room > tx_trigger()) {
        lower(interrupt::tx);
        state_->tx_above = 1;
    } else {
        raise(interrupt::tx);
    }
    if (probe_ != nullptr) { probe_(Point::transmit, false); }
    if (tx_.publish(head + 1) == service::Wake::yes) { effects_ |= effect::wake; }
    if (probe_ != nullptr) { probe_(Point::transmit, true); }
    refresh_transmit();
    choose_path();
    refresh();
    return Answer::advance();
}

/// A character comes back to the receiver. The committing store is loop_in's.
void Pl011::loop_back(uint16_t character, uint64_t now) {
    raise(interrupt::tx);
    uint32_t const in = state_->loop_in;
    if (rx_level() >= depth()) {
        if (loop_level() > 0) { state_->loop[(in - 1) % State::loop_size] |= data::overrun; }
        set(Register::rsr, reg(Register::rsr) | data::overrun_status);
        raise(interrupt::overrun);
        return;
    }
    state_->loop[in % State::loop_size] = character;
    if ((character & data::break_error) != 0) { raise(interrupt::break_); }
    if (rx_level() + 1 >= rx_trigger()) { raise(interrupt::rx); }
    __atomic_store_n(&state_->loop_in, in + 1, __ATOMIC_RELAXED);
    arm_timeout(now);
}

void Pl011::write_line_control(uint32_t value, uint64_t now) {
    uint32_t const before = reg(Register::lcr_h);
    uint32_t const changed = before ^ value;
    set(Register::lcr_h, value);
    if ((changed & line::fifos) != 0) {
        flush();
        settle_receive(now);
        receive_now(now);
    }
    if ((changed & value & line::send_break) != 0 && loopback()) { loop_back(data::break_error, now); }
}

void Pl011::write_control(uint32_t value, uint64_t now) {
    uint32_t const before = modem();
    set(Register::cr, value);
    uint32_t const changed = before ^ modem();
    uint32_t const events = ((changed & flag::ri) != 0 ? interrupt::ri : 0) | ((changed & flag::cts) != 0 ? interrupt::cts : 0) |
                            ((changed & flag::dcd) != 0 ? interrupt::dcd : 0) | ((changed & flag::dsr) != 0 ? interrupt::dsr : 0);
    if (events != 0) { raise(events); }
    choose_path();
    receive_now(now);
}

void Pl011::clear_interrupts(Request const& request, uint32_t bits) {
    if ((bits & ris()) == 0 || (request.repeated && journal_->done(request) != nullptr)) { return; }
    journal_->begin(request, static_cast<uint32_t>(Point::interrupts), ris_changes());
    lower(bits); // the committing store
    refresh_transmit();
}

} // namespace pl011
