// SPDX-License-Identifier: MIT
// The `framed` format: 0x1E, stream id, length 1..255, that many bytes. Lossless; stream 0 is the
// control stream.
#pragma once
#include "services/console/output.hpp"

namespace console {

constexpr uint8_t frame_mark = 0x1e;
constexpr uint32_t longest_frame = 255;

class Framed final : public Output {
public:
    Framed(Streams& streams, ByteQueue& queue) : Output(streams, queue) {}

    bool pump(uint64_t now_us, bool all) override;
    void focus_moved() override { tell_focus_ = true; }
    void list() override { tell_streams_ = tell_focus_ = true; }
    void notice(std::string_view text) override;

private:
    bool control();
    void frame(unsigned id, std::string_view text);
    bool pump_stream(unsigned id);

    unsigned last_ = 0; ///< served last: the next one goes first
    bool tell_streams_ = true;
    bool tell_focus_ = true;
    unsigned told_ = 0; ///< streams listed so far
};

} // namespace console
