// SPDX-License-Identifier: MIT
// What the checks of objects share.
#pragma once
#include "test/guests/native/crew.hpp"

namespace test {

constexpr uint64_t page = 4096;
extern Crew crew;

void check_memory();
void check_lives();
void check_guest();

} // namespace test
