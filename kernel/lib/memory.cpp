// SPDX-License-Identifier: MIT
// What GCC calls for clearing and copying structs.
#include <cstddef>
#include <cstdint>

extern "C" {

void* memset(void* to, int value, size_t size) {
    auto* byte = static_cast<uint8_t*>(to);
    auto* end = byte + size;
    uint64_t word = static_cast<uint8_t>(value) * 0x0101'0101'0101'0101ull;
    while (byte < end && reinterpret_cast<uintptr_t>(byte) % 8 != 0) { *byte++ = static_cast<uint8_t>(value); }
    for (; end - byte >= 8; byte += 8) { *reinterpret_cast<volatile uint64_t*>(byte) = word; }
    while (byte < end) { *const_cast<volatile uint8_t*>(byte++) = static_cast<uint8_t>(value); }
    return to;
}

void* memcpy(void* to, const void* from, size_t size) {
    auto* target = static_cast<volatile uint8_t*>(to);
    const auto* source = static_cast<const uint8_t*>(from);
    for (size_t i = 0; i < size; ++i) { target[i] = source[i]; }
    return to;
}
}
