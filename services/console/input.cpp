// SPDX-License-Identifier: MIT
// Takes bytes from the PL011 as long as there are some, they have somewhere to go, and it is not too long.
#include "services/console/input.hpp"

namespace console {

Input::Left Input::take() {
    Left left = Left::more;
    for (unsigned i = 0; i < at_once && left == Left::more; ++i) {
        if (!holding_ && !device_.receive(held_)) {
            left = Left::nothing;
        } else {
            holding_ = !keyboard_.take(held_);
            if (holding_) { left = Left::waiting; }
        }
    }
    device_.want_input(left != Left::waiting);
    return left;
}

} // namespace console
