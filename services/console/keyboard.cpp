// SPDX-License-Identifier: MIT
// Takes the terminal's bytes apart: frames, control lines, keys and commands.
#include "services/console/keyboard.hpp"
#include "services/console/framed.hpp"

namespace console {

bool Keyboard::send(Stream& stream, uint8_t byte) {
    service::Wake wake;
    if (!stream.in.write({&byte, 1}, wake)) {
        stream.in.ask_for_room();
        if (!stream.in.write({&byte, 1}, wake)) { return false; }
    }
    if (wake == service::Wake::yes) { stream.wake = true; }
    return true;
}

bool Keyboard::take(uint8_t byte) {
    switch (state_) {
    case State::outside:
        if (framed_ && byte == frame_mark) {
            state_ = State::id;
        } else {
            key(byte);
        }
        return true;
    case State::id:
        id_ = byte;
        state_ = State::length;
        return true;
    case State::length:
        left_ = byte;
        state_ = byte == 0 ? State::outside : State::bytes;
        return true;
    case State::bytes: break;
    }
    if (!frame_byte(byte)) { return false; }
    if (--left_ == 0) { state_ = State::outside; }
    return true;
}

bool Keyboard::frame_byte(uint8_t byte) {
    if (id_ == 0) {
        control(byte);
        return true;
    }
    if (!streams_.exists(id_) || !streams_[id_].in.valid()) { return true; } // to nobody
    return send(streams_[id_], byte);
}

void Keyboard::key(uint8_t byte) {
    if (escaped_) {
        escaped_ = false;
        if (byte != escape_key) {
            command(byte);
            return;
        }
    } else if (byte == escape_key) {
        escaped_ = true;
        return;
    }
    auto& stream = streams_[streams_.focus];
    bool const sent = stream.in.valid() && send(stream, byte);
    if (!sent && !stream.dropping) { dropped_ = streams_.focus; }
    stream.dropping = !sent;
}

void Keyboard::command(uint8_t byte) {
    if (byte == 'n') {
        move_focus(streams_.next_with_input());
    } else if (byte == 'p' && streams_.exists(streams_.prompt)) {
        move_focus(streams_.prompt);
    } else if (byte >= '1' && byte <= '9' && streams_.exists(byte - '0')) {
        move_focus(byte - '0');
    } else if (byte == '?') {
        output_.notice("Ctrl-\\ then: n next partition, p lifecycle prompt, 1..9 stream, ? help, "
                       "Ctrl-\\ sends it");
        output_.list();
    }
}

void Keyboard::move_focus(unsigned id) {
    streams_.focus = id;
    output_.focus_moved();
}

void Keyboard::control(uint8_t byte) {
    if (byte == '\n') {
        control_line({line_, line_size_});
        line_size_ = 0;
    } else if (line_size_ < sizeof(line_)) {
        line_[line_size_++] = static_cast<char>(byte);
    }
}

void Keyboard::control_line(std::string_view line) {
    constexpr std::string_view focus = "focus ";
    if (line == "streams") {
        output_.list();
    } else if (line.starts_with(focus)) {
        auto const digits = line.substr(focus.size());
        unsigned id = 0;
        for (char digit : digits) {
            if (digit < '0' || digit > '9' || id > Streams::max) { return; }
            id = id * 10 + static_cast<unsigned>(digit - '0');
        }
        if (streams_.exists(id)) { move_focus(id); }
    }
}

} // namespace console
