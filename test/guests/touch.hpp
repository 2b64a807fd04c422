// SPDX-License-Identifier: MIT
// Owns the ways in which trespass (a VM) and burglar (native) touch an address: the first word of a line like "ldr 9000000".
#pragma once

#include <cstdint>
#include <string_view>

/// Does what `line` says; false if it names no such way.
inline bool touch(std::string_view line) {
    using namespace std::string_view_literals;
    size_t size = 0;
    while (size < line.size() && line[size] != ' ') ++size;
    std::string_view way{line.data(), size};
    uint64_t address = 0;
    for (size_t i = size + 1; i < line.size(); ++i)
        address = address * 16 + static_cast<uint64_t>(line[i] >= 'a' ? line[i] - 'a' + 10 : line[i] - '0');

    constexpr uint32_t ret = 0xd65f03c0; // in case that it can be executed afterwards
    if (way == "ldr"sv)
        asm volatile("ldr w2, [%0]" : : "r"(address) : "x2", "memory");
    else if (way == "str"sv)
        asm volatile("str %w1, [%0]" : : "r"(address), "r"(ret) : "memory");
    else if (way == "call"sv)
        asm volatile("blr %0" : : "r"(address) : "x30", "memory");
    else if (way == "ldp"sv)
        asm volatile("ldp x2, x3, [%0]" : : "r"(address) : "x2", "x3", "memory");
    else if (way == "stp"sv)
        asm volatile("stp xzr, xzr, [%0]" : : "r"(address) : "memory");
    else if (way == "post-index"sv)
        asm volatile("str w2, [%0], #8" : "+r"(address) : : "memory");
    else if (way == "ldxr"sv)
        asm volatile("ldxr w2, [%0]" : : "r"(address) : "x2", "memory");
    else if (way == "dc-zva"sv)
        asm volatile("dc zva, %0" : : "r"(address) : "memory");
    else if (way == "ldr-q"sv)
        asm volatile(".arch_extension simd\n ldr q0, [%0]" : : "r"(address) : "memory");
    else if (way == "vttbr_el2"sv)
        asm volatile("mrs x2, vttbr_el2" : : : "x2");
    else if (way == "sctlr_el1"sv)
        asm volatile("msr sctlr_el1, xzr" : : : "memory");
    else if (way == "udf"sv)
        asm volatile("udf #0");
    else if (way == "hvc"sv)
        asm volatile("hvc #1" : : : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "memory");
    else
        return false;
    return true;
}
