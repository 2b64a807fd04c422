// SPDX-License-Identifier: MIT
// The list registers by number: an instruction names one of them, so there is one instruction for
// each.
#include "hw.hpp"
#include <utility>

namespace bulkhead::hw {

// ICH_LR0_EL2..ICH_LR7_EL2 are s3_4_c12_c12_0..7, ICH_LR8_EL2..ICH_LR15_EL2 are s3_4_c12_c13_0..7.
template <unsigned n> static uint64_t read_one() {
    uint64_t value;
    asm volatile("mrs %0, s3_4_c12_c%c1_%c2" : "=r"(value) : "i"(12 + n / 8), "i"(n % 8));
    return value;
}
template <unsigned n> static void write_one(uint64_t value) {
    asm volatile("msr s3_4_c12_c%c1_%c2, %x0" : : "rZ"(value), "i"(12 + n / 8), "i"(n % 8) : "memory");
}

template <unsigned... n> static uint64_t read_any(unsigned wanted, std::integer_sequence<unsigned, n...>) {
    uint64_t value = 0;
    (void)((wanted == n && (value = read_one<n>(), true)) || ...);
    return value;
}
template <unsigned... n> static void write_any(unsigned wanted, uint64_t value, std::integer_sequence<unsigned, n...>) {
    (void)((wanted == n && (write_one<n>(value), true)) || ...);
}
using Used = std::make_integer_sequence<unsigned, max_list_registers>;

uint64_t read_lr(unsigned n) { return read_any(n, Used{}); }
void write_lr(unsigned n, uint64_t value) { write_any(n, value, Used{}); }

[[gnu::section(".text.boot")]] void clear_list_registers(unsigned count) {
    for (unsigned n = 0; n < count; ++n) { write_any(n, 0, std::make_integer_sequence<unsigned, 16>{}); }
}

} // namespace bulkhead::hw
