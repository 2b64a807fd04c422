// SPDX-License-Identifier: MIT
// The checksum of boot table and payloads: IEEE 802.3 CRC-32, by the CPU's own instructions where it has them.
#pragma once
#include <cstdint>

namespace bulkhead {

/// Of `size` bytes; `crc` is the result for what came before, 0 at the start.
uint32_t crc32(const uint8_t* data, uint64_t size, uint32_t crc = 0);

} // namespace bulkhead
