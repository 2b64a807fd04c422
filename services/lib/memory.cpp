// SPDX-License-Identifier: MIT
// memcpy, memmove, memset, memcmp: the compiler calls them. By eight words at a time where both
// sides are aligned.
#include <cstddef>
#include <cstdint>
#pragma GCC optimize("no-tree-loop-distribute-patterns")

namespace {

using Word [[gnu::may_alias]] = uint64_t;
constexpr size_t block = 8 * sizeof(Word);

bool aligned(void const* one, void const* other) {
    return ((reinterpret_cast<uintptr_t>(one) | reinterpret_cast<uintptr_t>(other)) & 7) == 0;
}

/// Upwards; the ranges may overlap if `to` is below `from`.
void copy_up(void* to, void const* from, size_t size) {
    auto* target = static_cast<unsigned char*>(to);
    auto const* source = static_cast<unsigned char const*>(from);
    if (aligned(to, from)) {
        for (; size >= block; size -= block, target += block, source += block) {
            auto* t = reinterpret_cast<Word*>(target);
            auto const* s = reinterpret_cast<Word const*>(source);
            Word const a = s[0], b = s[1], c = s[2], d = s[3];
            Word const e = s[4], f = s[5], g = s[6], h = s[7];
            t[0] = a, t[1] = b, t[2] = c, t[3] = d;
            t[4] = e, t[5] = f, t[6] = g, t[7] = h;
        }
        for (; size >= 8; size -= 8, target += 8, source += 8) {
            *reinterpret_cast<Word*>(target) = *reinterpret_cast<Word const*>(source);
        }
    }
    while (size-- > 0) { *target++ = *source++; }
}

} // namespace

extern "C" {

void* memcpy(void* __restrict to, void const* __restrict from, size_t size) {
    copy_up(to, from, size);
    return to;
}

void* memmove(void* to, void const* from, size_t size) {
    auto* target = static_cast<unsigned char*>(to);
    auto const* source = static_cast<unsigned char const*>(from);
    if (reinterpret_cast<uintptr_t>(to) - reinterpret_cast<uintptr_t>(from) >= size) {
        copy_up(to, from, size);
        return to;
    }
    while (size-- > 0) { target[size] = source[size]; }
    return to;
}

void* memset(void* to, int value, size_t size) {
    auto* target = static_cast<unsigned char*>(to);
    auto const byte = static_cast<unsigned char>(value);
    for (; size > 0 && (reinterpret_cast<uintptr_t>(target) & 7) != 0; --size) { *target++ = byte; }
    Word const word = byte * 0x0101'0101'0101'0101ull;
    for (; size >= block; size -= block, target += block) {
        auto* t = reinterpret_cast<Word*>(target);
        t[0] = word, t[1] = word, t[2] = word, t[3] = word;
        t[4] = word, t[5] = word, t[6] = word, t[7] = word;
    }
    while (size-- > 0) { *target++ = byte; }
    return to;
}

int memcmp(void const* one, void const* other, size_t size) {
    auto const* a = static_cast<unsigned char const*>(one);
    auto const* b = static_cast<unsigned char const*>(other);
    for (; size > 0; --size, ++a, ++b) {
        if (*a != *b) { return *a < *b ? -1 : 1; }
    }
    return 0;
}

size_t strlen(char const* text) {
    size_t size = 0;
    while (text[size] != 0) { ++size; }
    return size;
}

} // extern "C"
