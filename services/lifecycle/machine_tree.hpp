// SPDX-License-Identifier: MIT
// The device tree that the machine's loader gave the core: lifecycle takes the seeds out of it.
#pragma once
#include "services/lib/random.hpp"

namespace lifecycle {

/// `pages` hold the tree, from somewhere in the first page on. Seeds `random` with rng-seed and kaslr-seed of /chosen, and erases
/// them there. Whatever else lies there does no harm.
void take_seeds(std::span<uint8_t> pages, service::Random& random);

} // namespace lifecycle
