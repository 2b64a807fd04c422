// SPDX-License-Identifier: MIT
// The streams: the rings of every partition, whom to signal, and which of them has the keyboard.
#pragma once
#include "services/lib/ring.hpp"
#include <string_view>

namespace console {

struct Stream {
    std::string_view name = {};
    service::RingConsumer out = {};
    service::RingProducer in = {}; ///< not valid: takes no input
    uint64_t notify = 0;           ///< handle of its notification, 0: none
    uint64_t signals = 0;          ///< what to signal when `in` has data or `out` has room again
    bool wake = false;             ///< do so
    bool dropping = false;         ///< keys for it were dropped since it last took one
};

class Streams {
public:
    static constexpr unsigned max = 62; ///< a signal bit each; ids 1..max

    unsigned count = 0;
    unsigned focus = 0;  ///< who has the keyboard; 0: nobody
    unsigned prompt = 0; ///< the lifecycle prompt's stream, 0: none

    bool exists(uint64_t id) const { return id >= 1 && id <= count; }
    Stream& operator[](unsigned id) { return streams_[id]; }
    Stream const& operator[](unsigned id) const { return streams_[id]; }

    /// The next stream after the focused one that takes input; the focused one if there is no
    /// other.
    unsigned next_with_input() const {
        for (unsigned step = 1; step <= count; ++step) {
            unsigned const id = (focus + step - 1) % count + 1;
            if (streams_[id].in.valid()) { return id; }
        }
        return focus;
    }

    /// `out` was read: if its producer waits for room and has it now, it is to be signalled.
    void made_room(unsigned id) {
        auto& stream = streams_[id];
        if (stream.out.used() <= stream.out.capacity() / 2 && stream.out.take_request_for_room()) { stream.wake = true; }
    }

private:
    Stream streams_[max + 1];
};

} // namespace console
