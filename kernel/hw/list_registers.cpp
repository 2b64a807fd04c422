// SPDX-License-Identifier: MIT
// The list registers by number: an instruction names one of them, so there is one instruction for
// each.
#include "hw.hpp"

namespace bulkhead::hw {

// ICH_LR0_EL2..ICH_LR7_EL2 are s3_4_c12_c12_0..7, ICH_LR8_EL2..ICH_LR15_EL2 are s3_4_c12_c13_0..7.
template <unsigned count, unsigned n = 0> static uint64_t read_one(unsigned wanted) {
    uint64_t value = 0;
    if (wanted == n) {
        asm volatile("mrs %0, s3_4_c12_c%c1_%c2" : "=r"(value) : "i"(12 + n / 8), "i"(n % 8));
    } else if constexpr (n + 1 < count) {
        value = read_one<count, n + 1>(wanted);
    }
    return value;
}
template <unsigned count, unsigned n = 0> static void write_one(unsigned wanted, uint64_t value) {
    if (wanted == n) {
        asm volatile("msr s3_4_c12_c%c1_%c2, %x0" : : "rZ"(value), "i"(12 + n / 8), "i"(n % 8) : "memory");
    } else if constexpr (n + 1 < count) {
        write_one<count, n + 1>(wanted, value);
    }
}

uint64_t read_lr(unsigned n) { return read_one<max_list_registers>(n); }
void write_lr(unsigned n, uint64_t value) { write_one<max_list_registers>(n, value); }

[[gnu::section(".text.boot")]] void clear_list_registers(unsigned count) {
    for (unsigned n = 0; n < count; ++n) { write_one<16>(n, 0); }
}

} // namespace bulkhead::hw
