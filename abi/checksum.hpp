// SPDX-License-Identifier: MIT
// The checksum of the image's parts (CRC-32 of IEEE 802.3, as zlib's): the packer writes it, whoever uses a part checks it before.
#pragma once
#include <cstdint>

namespace abi {

/// What the checksum is made of: a part ends with zeros up to here.
constexpr uint64_t checksum_unit = 16;
constexpr uint64_t checksum_size(uint64_t size) { return (size + checksum_unit - 1) & ~(checksum_unit - 1); }

/// Of bytes that begin at a whole word and are whole units; `before` is the result for what came before them. `step` is the CPU's own
/// instruction for one unit, if it has one (`quick`).
template <uint32_t step(uint32_t crc, const uint64_t* unit)>
uint32_t crc32(const void* bytes, uint64_t size, bool quick, uint32_t before = 0) {
    constexpr unsigned turn = 16, words = checksum_unit / sizeof(uint64_t);
    uint32_t crc = ~before;
    if (quick) {
        const auto* word = static_cast<const uint64_t*>(bytes);
        const uint64_t* const end = word + size / sizeof(uint64_t);
        for (; end - word >= turn; word += turn) {
#pragma GCC unroll 8
            for (unsigned n = 0; n < turn; n += words) { crc = step(crc, word + n); }
        }
        for (; word < end; word += words) { crc = step(crc, word); }
        return ~crc;
    }
    const auto* byte = static_cast<const uint8_t*>(bytes);
    for (const uint8_t* const end = byte + size; byte < end; ++byte) {
        crc ^= *byte;
        for (unsigned bit = 0; bit < 8; ++bit) { crc = crc >> 1 ^ (crc & 1 ? 0xedb8'8320 : 0); }
    }
    return ~crc;
}

} // namespace abi
