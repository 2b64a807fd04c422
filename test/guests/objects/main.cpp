// SPDX-License-Identifier: MIT
// Owns the test partition `objects`: what is made at run time, how it ends, and who notices.
#include "test/guests/objects/parts.hpp"

namespace test {
constinit Crew crew;
}

int main() {
    test::crew.make(1);
    test::check_memory();
    test::check_lives();
    test::check_guest();
    test::finish();
}
