// SPDX-License-Identifier: MIT
// What GCC calls for clearing and copying structs.
#include <cstddef>
#include <cstdint>

extern "C" {

void* memset(void* to, int value, size_t size) {
    using Words = unsigned __int128;
    auto* byte = static_cast<volatile uint8_t*>(to);
    if (reinterpret_cast<uintptr_t>(to) % 8 == 0) { // a struct: by pairs of words (STP)
        auto* pair = static_cast<volatile Words*>(to);
        const uint64_t word = static_cast<uint8_t>(value) * 0x0101'0101'0101'0101ull;
        for (size_t pairs = size / sizeof(Words); pairs-- != 0;) { *pair++ = Words{word} << 64 | word; }
        byte += size / sizeof(Words) * sizeof(Words), size %= sizeof(Words);
    }
    while (size-- != 0) { *byte++ = static_cast<uint8_t>(value); }
    return to;
}

void* memcpy(void* to, const void* from, size_t size) {
    auto* target = static_cast<volatile uint8_t*>(to);
    const auto* source = static_cast<const uint8_t*>(from);
    for (size_t i = 0; i < size; ++i) { target[i] = source[i]; }
    return to;
}
}
