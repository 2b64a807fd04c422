// SPDX-License-Identifier: MIT
// A byte ring in memory that two partitions share: one producer, one consumer, no lock. The producer owns `head`, the consumer
// `tail`; both only grow (modulo 2^32). It survives the restart of either side.
#pragma once
#include <cstdint>

namespace abi {

struct RingHeader {
    uint32_t head; ///< bytes ever produced, modulo 2^32
    uint32_t reserved0[15];
    uint32_t tail;    ///< bytes ever consumed, modulo 2^32
    uint32_t waiting; ///< the producer found the ring full and wants a signal when there is room (1) or none (0)
    uint32_t reserved1[14];
};
static_assert(sizeof(RingHeader) == 128);
/// The data follow the header; their size is the greatest power of two that fits the region: for a region of
/// 2^n bytes that is 2^(n-1).
constexpr uint32_t ring_capacity(uint64_t region_size) {
    uint64_t capacity = 1;
    while (capacity * 2 + sizeof(RingHeader) <= region_size) { capacity *= 2; }
    return static_cast<uint32_t>(capacity);
}

} // namespace abi
