// SPDX-License-Identifier: MIT
// Owns the four memory functions that GCC calls even in freestanding code.

#include <cstddef>

// Without this the loops below would be compiled into calls to themselves.
#pragma GCC optimize("no-tree-loop-distribute-patterns")

extern "C" {

void* memcpy(void* to, const void* from, size_t size) {
    for (size_t i = 0; i < size; ++i) static_cast<char*>(to)[i] = static_cast<const char*>(from)[i];
    return to;
}

void* memmove(void* to, const void* from, size_t size) {
    if (to <= from) return memcpy(to, from, size);
    for (size_t i = size; i-- > 0;) static_cast<char*>(to)[i] = static_cast<const char*>(from)[i];
    return to;
}

void* memset(void* to, int value, size_t size) {
    for (size_t i = 0; i < size; ++i) static_cast<char*>(to)[i] = static_cast<char>(value);
    return to;
}

int memcmp(const void* a, const void* b, size_t size) {
    auto *left = static_cast<const unsigned char*>(a), *right = static_cast<const unsigned char*>(b);
    for (size_t i = 0; i < size; ++i)
        if (left[i] != right[i]) return left[i] - right[i];
    return 0;
}
}
