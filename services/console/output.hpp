// SPDX-License-Identifier: MIT
// What both output formats do: move the streams' bytes into the queue to the PL011.
#pragma once
#include "services/console/byte_queue.hpp"
#include "services/console/stream.hpp"

namespace console {

constexpr uint64_t never_us = ~0ull;

class Output {
public:
    /// Moves what is there and fits. `all`: also what would wait for the rest of its line. True if
    /// it moved something.
    virtual bool pump(uint64_t now_us, bool all) = 0;
    /// When pump() has something to do though nothing new arrives.
    virtual uint64_t due_us() const { return never_us; }
    /// streams.focus has changed.
    virtual void focus_moved() = 0;
    /// Somebody asks for the list of streams.
    virtual void list() = 0;
    /// Text of the console's own for the person at the keyboard.
    virtual void notice(std::string_view text) = 0;

protected:
    Output(Streams& streams, ByteQueue& queue) : streams_(streams), queue_(queue) {}
    Streams& streams_;
    ByteQueue& queue_;
};

} // namespace console
