// SPDX-License-Identifier: MIT
// Where the bytes from the terminal go: frames to their streams, keys to the focused stream, the
// escape key's commands.
#pragma once
#include "services/console/output.hpp"

namespace console {

class Keyboard {
public:
    static constexpr uint8_t escape_key = 0x1c; ///< Ctrl-backslash

    Keyboard(Streams& streams, Output& output, bool framed) : streams_(streams), output_(output), framed_(framed) {}

    /// False: the byte cannot be taken now, because a frame's stream is full; offer it again.
    bool take(uint8_t byte);

    /// The stream whose keys begin to be dropped because it is full; 0: none. Told once.
    unsigned take_dropped() {
        unsigned const id = dropped_;
        dropped_ = 0;
        return id;
    }

    void move_focus(unsigned id);

private:
    enum class State : uint8_t { outside, id, length, bytes };

    void key(uint8_t byte);
    void command(uint8_t byte);
    void control(uint8_t byte);
    void control_line(std::string_view line);
    bool send(Stream& stream, uint8_t byte);
    bool frame_byte(uint8_t byte);

    Streams& streams_;
    Output& output_;
    bool const framed_;
    State state_ = State::outside;
    uint8_t id_ = 0;
    uint8_t left_ = 0;
    bool escaped_ = false;
    unsigned dropped_ = 0;
    char line_[32];
    unsigned line_size_ = 0;
};

} // namespace console
