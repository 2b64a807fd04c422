// SPDX-License-Identifier: MIT
// The bytes that the PL011 has received, on their way to where the keyboard sends them.
#pragma once
#include "services/console/device.hpp"
#include "services/console/keyboard.hpp"

namespace console {

class Input {
public:
    static constexpr unsigned at_once = 256; ///< before output gets its turn

    /// What take() left in the PL011: nothing; more, of which no interrupt need tell (QEMU's raises one for a byte that finds the FIFO
    /// empty, no other); or all that comes until a stream has room.
    enum class Left : uint8_t { nothing, more, waiting };

    Input(Device& device, Keyboard& keyboard) : device_(device), keyboard_(keyboard) {}
    Left take();

private:
    Device& device_;
    Keyboard& keyboard_;
    uint8_t held_ = 0; ///< a byte whose stream is full
    bool holding_ = false;
};

} // namespace console
