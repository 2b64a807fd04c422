// SPDX-License-Identifier: MIT
// Puts the streams' bytes into frames, round robin, at most one frame of each at a time.
#include "services/console/framed.hpp"
#include "services/lib/text.hpp"

namespace console {

void Framed::frame(unsigned id, std::string_view text) {
    queue_.put(frame_mark);
    queue_.put(static_cast<uint8_t>(id));
    queue_.put(static_cast<uint8_t>(text.size()));
    queue_.put(text);
}

/// `streams 1=console 2=uart ...` in one frame per stream, `focus n`. True if it said something.
bool Framed::control() {
    bool told = false;
    while (tell_streams_ && queue_.room() >= 3 + longest_frame) {
        service::Text<128> text;
        if (told_ == 0) { text.put("streams"); }
        if (told_ < streams_.count) {
            ++told_;
            text.put(' ').put_number(told_).put('=').put(streams_[told_].name);
        }
        if (told_ == streams_.count) {
            text.put('\n');
            told_ = 0;
            tell_streams_ = false;
        }
        frame(0, text);
        told = true;
    }
    if (tell_focus_ && !tell_streams_ && queue_.room() >= 3 + longest_frame) {
        service::Text<16> text;
        frame(0, text.put("focus ").put_number(streams_.focus).put('\n'));
        tell_focus_ = false;
        told = true;
    }
    return told;
}

bool Framed::pump_stream(unsigned id) {
    auto& out = streams_[id].out;
    auto const bytes = out.peek();
    uint32_t const room = queue_.room();
    if (bytes.empty() || room <= 3) { return false; }
    uint32_t count = static_cast<uint32_t>(bytes.size());
    if (count > longest_frame) { count = longest_frame; }
    if (count > room - 3) { count = room - 3; }
    frame(id, {reinterpret_cast<char const*>(bytes.data()), count});
    out.consume(count);
    streams_.made_room(id);
    return true;
}

bool Framed::pump(uint64_t, bool) {
    bool moved = control();
    unsigned const first = last_;
    for (unsigned step = 0; step < streams_.count; ++step) {
        unsigned const id = (first + step) % streams_.count + 1;
        if (pump_stream(id)) {
            last_ = id;
            moved = true;
        }
    }
    return moved;
}

/// In the console's own stream, if it has one.
void Framed::notice(std::string_view text) {
    for (unsigned id = 1; id <= streams_.count; ++id) {
        service::Text<longest_frame> line;
        line.put(text.substr(0, longest_frame - 1)).put('\n');
        if (streams_[id].name == "console" && queue_.room() >= line.size() + 3) { frame(id, line); }
    }
}

} // namespace console
