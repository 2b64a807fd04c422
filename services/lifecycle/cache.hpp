// SPDX-License-Identifier: MIT
// Bulk work on memory by cache line. Only native AArch64 code can include this file.
#pragma once
#include <cstdint>
#include <cstring>
#include <span>

namespace lifecycle {

/// Calls `operation` with the address of every line; several in a turn, for a VM's RAM has millions.
template <typename Operation> void for_each_line(uint64_t first, uint64_t end, uint64_t line, Operation operation) {
    constexpr unsigned turn = 8;
    uint64_t address = first;
    for (uint64_t turns = (end - first) / line / turn; turns > 0; --turns) {
#pragma GCC unroll 8
        for (unsigned n = 0; n < turn; ++n, address += line) { operation(address); }
    }
    for (; address < end; address += line) { operation(address); }
}

/// Cleans to the point of coherency. QEMU has no caches, so it cannot show that this is missing: a
/// guest starts with its MMU and caches off and would read what lay in memory before.
inline void clean_to_coherency(std::span<uint8_t> bytes, uint64_t ctr_el0) {
    const uint64_t line = 4ull << (ctr_el0 >> 16 & 15); // DminLine: log2 of words
    const auto first = reinterpret_cast<uint64_t>(bytes.data());
    const uint64_t end = first + bytes.size();
    for_each_line(first & ~(line - 1), end, line, [](uint64_t address) { asm volatile("dc cvac, %0" ::"r"(address) : "memory"); });
    asm volatile("dsb sy" ::: "memory"); // complete before the memory is unmapped and the guest starts
}

/// A line at a time where the CPU allows it.
inline void zero_memory(std::span<uint8_t> bytes) {
    uint64_t dczid;
    asm("mrs %0, dczid_el0" : "=r"(dczid));
    const uint64_t line = 4ull << (dczid & 15);
    const bool prohibited = (dczid >> 4 & 1) != 0;
    const auto first = reinterpret_cast<uint64_t>(bytes.data());
    if (prohibited || first % line != 0 || bytes.size() % line != 0) {
        memset(bytes.data(), 0, bytes.size());
        return;
    }
    for_each_line(first, first + bytes.size(), line, [](uint64_t address) {
        asm volatile("dc zva, %0" ::"r"(address) : "memory");
    });
}

} // namespace lifecycle
