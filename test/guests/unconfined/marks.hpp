// SPDX-License-Identifier: MIT
// Marks in the registers that a native partition's program can write and keeps for nobody: whoever looks finds them as the core
// enters it, or its own marks.
#pragma once
#include <cstdint>
#include <string_view>

namespace test {

#define MARKED_REGISTERS                                                                                                           \
    "elr_el1, spsr_el1, par_el1, vbar_el1, tpidr_el0, tpidrro_el0, tpidr_el1, cntkctl_el1, cntv_cval_el0, cntv_ctl_el0"

struct MarkedRegister {
    std::string_view name;
    uint64_t bits;      ///< that hold a mark
    uint64_t clean = 0; ///< as the core enters a partition
};
/// SP_EL1, which is not the program's own stack; then in the order above; behind them DISR_EL1 (RAS), if the CPU has it.
constexpr MarkedRegister marked[] = {{"sp_el1", ~0ull},
                                     {"elr_el1", ~0ull},
                                     {"spsr_el1", 0xf000'03c5},
                                     {"par_el1", 0x0000'ffff'ffff'f380},
                                     {"vbar_el1", 0x7f'ffff'f800, 0x7f'ffff'f800}, // never mapped
                                     {"tpidr_el0", ~0ull},
                                     {"tpidrro_el0", ~0ull},
                                     {"tpidr_el1", ~0ull},
                                     {"cntkctl_el1", 0x303},
                                     {"cntv_cval_el0", ~0ull >> 2},
                                     {"cntv_ctl_el0", 3},
                                     {"disr_el1", 0x81ff'ffff}};
constexpr unsigned registers_marked = sizeof(marked) / sizeof(marked[0]);

/// Two owners' marks differ in every bit. Of the timer the first one's is "masked", the second one's "enabled", for a time that is far.
enum Owner : uint64_t { nobody = 0, first_owner = 0xaaaa'aaaa'aaaa'aaaa, second_owner = 0x5555'5555'5555'5555 };

inline bool has_disr() {
    uint64_t features;
    asm("mrs %0, id_aa64pfr0_el1" : "=r"(features));
    return (features >> 28 & 15) != 0;
}

inline void put_marks(Owner owner) {
    uint64_t value[registers_marked];
    for (unsigned i = 0; i < registers_marked; ++i) { value[i] = owner & marked[i].bits; }
    uint64_t const* at = value;
    asm volatile("ldr x9, [%0], #8\n msr spsel, #1\n mov sp, x9\n msr spsel, #0\n"
                 ".irp r, " MARKED_REGISTERS "\n ldr x9, [%0], #8\n msr \\r, x9\n .endr"
                 : "+r"(at)
                 :
                 : "x9", "memory");
    if (has_disr()) { asm volatile("msr s3_0_c12_c1_1, %0" : : "r"(*at) : "memory"); }
}

/// The registers, by bit, that hold neither what the core enters a partition with nor this owner's marks.
inline uint64_t strange_registers(Owner owner) {
    uint64_t value[registers_marked];
    uint64_t* at = value;
    asm volatile("msr spsel, #1\n mov x9, sp\n msr spsel, #0\n str x9, [%0], #8\n"
                 ".irp r, " MARKED_REGISTERS "\n mrs x9, \\r\n str x9, [%0], #8\n .endr"
                 : "+r"(at)
                 :
                 : "x9", "memory");
    *at = 0;
    if (has_disr()) { asm volatile("mrs %0, s3_0_c12_c1_1" : "=r"(*at) : : "memory"); }
    value[registers_marked - 2] &= 3; // not whether the timer's condition is met
    uint64_t strange = 0;
    for (unsigned i = 0; i < registers_marked; ++i) {
        bool const own = owner != nobody && value[i] == (owner & marked[i].bits);
        if (!own && value[i] != marked[i].clean) { strange |= 1ull << i; }
    }
    return strange;
}

} // namespace test
