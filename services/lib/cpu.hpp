// SPDX-License-Identifier: MIT
// What a native vCPU can ask its hardware: its own index, the time. Only native AArch64 code can
// include this file.
#pragma once
#include <cstdint>

namespace service {

/// Stacks lie at stack_base + index * stack_stride, each smaller than the stride; the packer lays
/// them so.
constexpr uint64_t stack_base = 0x7000'0000;
constexpr uint64_t stack_stride = 0x10'0000;

/// The index of the vCPU that runs this. It comes from SP, because no system register survives a
/// reply_recv.
inline unsigned vcpu_index() {
    uint64_t sp;
    asm("mov %0, sp" : "=r"(sp));
    return static_cast<unsigned>((sp - 1 - stack_base) / stack_stride);
}

/// Ticks since the machine's reset (CNTPCT), not ordered against other instructions.
inline uint64_t now() {
    uint64_t ticks;
    asm volatile("mrs %0, cntpct_el0" : "=r"(ticks));
    return ticks;
}

/// Ticks per second.
inline uint64_t frequency() {
    uint64_t hertz;
    asm volatile("mrs %0, cntfrq_el0" : "=r"(hertz));
    return hertz;
}

/// Microseconds as ticks, without overflow.
inline uint64_t ticks(uint64_t us) {
    uint64_t const hertz = frequency();
    return us / 1'000'000 * hertz + us % 1'000'000 * hertz / 1'000'000;
}

/// Microseconds since the machine's reset.
inline uint64_t now_us() {
    uint64_t const ticks_now = now();
    uint64_t const hertz = frequency();
    return ticks_now / hertz * 1'000'000 + ticks_now % hertz * 1'000'000 / hertz;
}

/// FEAT_CRC32, and one unit of the image's checksum (abi/checksum.hpp) by it.
inline bool has_crc32() {
    uint64_t features;
    asm("mrs %0, id_aa64isar0_el1" : "=r"(features));
    return (features >> 16 & 15) != 0;
}
inline uint32_t crc32_step(uint32_t crc, uint64_t const* unit) {
    asm(".arch_extension crc\n crc32x %w0, %w0, %1\n crc32x %w0, %w0, %2" : "+&r"(crc) : "r"(unit[0]), "r"(unit[1]));
    return crc;
}

/// In every loop that waits for another core.
inline void yield() { asm volatile("yield" ::: "memory"); }

} // namespace service
