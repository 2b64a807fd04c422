// SPDX-License-Identifier: MIT
// What `between` asks the service behind it, and what a victim finds at the start of its device's page.
#pragma once
#include <cstdint>

namespace between {

enum Label : uint16_t {
    brief = 1,     ///< nothing to do
    linger = 2,    ///< answered after more than a turn
    for_guest = 3, ///< nothing to do, on a guest's behalf
    vectors = 4,   ///< word 0: what a guest shall have in VBAR_EL1, or 0
    tell = 5,      ///< what has been seen
};

/// A victim's seed, and its VBAR_EL1.
constexpr uint64_t device_word(uint64_t address, uint64_t seed, uint64_t vectors) {
    return (address & 0xfff) == 8 ? vectors : seed;
}

} // namespace between
