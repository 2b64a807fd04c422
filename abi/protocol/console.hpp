// SPDX-License-Identifier: MIT
// What a partition may ask of the console service beside using its rings.
#pragma once
#include <cstdint>

namespace abi::console {

/// On the core of the console's first vCPU; anywhere else every label is `unsupported`.
enum class Label : uint16_t {
    flush = 1, ///< status ok: everything that the rings held has left the PL011; again: not yet, call again
    focus = 2, ///< word 0: stream id that the keyboard shall go to. Status ok, bad_argument
};

} // namespace abi::console
