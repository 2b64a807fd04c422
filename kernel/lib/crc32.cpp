// SPDX-License-Identifier: MIT
// CRC-32, IEEE 802.3 (reflected polynomial 0xedb88320).
#include "lib/crc32.hpp"
#include "hw.hpp"

namespace bulkhead {

namespace {

uint32_t step(uint32_t crc, uint8_t byte) {
    crc ^= byte;
    for (unsigned bit = 0; bit < 8; ++bit) { crc = crc >> 1 ^ (crc & 1 ? 0xedb8'8320 : 0); }
    return crc;
}

} // namespace

uint32_t crc32(const uint8_t* data, uint64_t size, uint32_t crc) {
    crc = ~crc;
    const uint8_t* end = data + size;
    if (hw::has_crc32()) {
        while (data < end && reinterpret_cast<uintptr_t>(data) % 8 != 0) { crc = step(crc, *data++); }
        for (; end - data >= 8; data += 8) { crc = hw::crc32_step(crc, *reinterpret_cast<const uint64_t*>(data)); }
    }
    while (data < end) { crc = step(crc, *data++); }
    return ~crc;
}

} // namespace bulkhead
