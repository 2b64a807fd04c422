// SPDX-License-Identifier: MIT
// Owns the firmware guest: it calls what SMCCC has beside PSCI, by HVC and by SMC, and says what came back.

#include "cpu.h"
#include "guest.h"
#include "print.h"
#include <initializer_list>

extern "C" const char guest_name[] = "firmware";

namespace {

using namespace guest;

struct Registers {
    uint64_t x0, x1, x2, x3, x4;
};

Registers call(bool smc, uint64_t function, uint64_t argument) {
    constexpr uint64_t mark = 0x6d61726b;
    register uint64_t x0 asm("x0") = function;
    register uint64_t x1 asm("x1") = argument;
    register uint64_t x2 asm("x2") = 0;
    register uint64_t x3 asm("x3") = 0;
    register uint64_t x4 asm("x4") = mark;
    if (smc)
        asm volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4) : : "memory");
    else
        asm volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4) : : "memory");
    if (x4 != mark) print("WRONG: x4 is {x}", x4);
    return {x0, x1, x2, x3, x4};
}

void show(uint64_t function, uint64_t argument = 0) {
    for (unsigned smc = 0; smc < 2; ++smc) {
        Registers got = call(smc, function, argument);
        print("{} {x} {x} gives {x} {x} {x} {x}", smc ? "smc" : "hvc", function, argument, got.x0, got.x1, got.x2, got.x3);
    }
}

} // namespace

extern "C" void guest_main() {
    if (!start_machine()) return;
    show(0x8000'0000); // SMCCC_VERSION
    for (uint64_t workaround : {0x8000'8000ul, 0x8000'7ffful, 0x8000'3ffful}) {
        show(0x8000'0001, workaround); // SMCCC_ARCH_FEATURES
        show(workaround);
    }
    for (uint64_t unknown : {0x8000'0002ul, 0xc000'0000ul, 0x8400'005ful, 0xc400'0050ul, 0xbf00'ff01ul}) show(unknown);
    show(0x8400'0050);              // TRNG_VERSION
    show(0x8400'0051, 0x8400'0053); // TRNG_FEATURES
    show(0x8400'0052);              // TRNG_GET_UUID
    for (uint64_t bits : {0, 1, 40, 96, 97}) show(0x8400'0053, bits);
    for (uint64_t bits : {0, 65, 192, 193}) show(0xc400'0053, bits);
    print("ready");
    for (;;) wfi();
}
