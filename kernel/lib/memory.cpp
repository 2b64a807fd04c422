// SPDX-License-Identifier: MIT
// What GCC calls for clearing and copying structs.
#include <cstddef>
#include <cstdint>

extern "C" {

void* memset(void* to, int value, size_t size) {
    auto* byte = static_cast<volatile uint8_t*>(to);
    if (reinterpret_cast<uintptr_t>(to) % 8 == 0) { // a struct: by words
        auto* word = static_cast<volatile uint64_t*>(to);
        const uint64_t pattern = static_cast<uint8_t>(value) * 0x0101'0101'0101'0101ull;
        for (size_t words = size / 8; words-- != 0;) { *word++ = pattern; }
        byte += size / 8 * 8, size %= 8;
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
