// SPDX-License-Identifier: MIT
// Owns the victim guest: it fills every register that it may own with a pattern, gives others time to spoil or spy (an access to
// their device, a while of spinning), and compares. The device's first word is its seed, that at 8 its VBAR_EL1 (or 0).

#include "cpu.h"
#include "guest.h"
#include "print.h"

extern "C" const char guest_name[] = "victim";
extern "C" [[gnu::visibility("hidden")]] void fill_fp(uint64_t seed);
extern "C" [[gnu::visibility("hidden")]] uint64_t check_fp(uint64_t seed);

namespace {

using namespace guest;

constexpr uint64_t device = 0x0b00'0000;

template <unsigned lsb> bool at_least(uint64_t id, unsigned least) { return (id >> lsb & 15) >= least && (id >> lsb & 15) != 15; }

// A row of the table, once for each thing to know about a register. (A table of pointers would need relocation.)
#define VICTIM(name, encoding, bits) ROW(name, encoding, bits, true)
#define FEATURE(name, encoding, bits, id, lsb, least)                                                                              \
    ROW(name, encoding, bits, ({                                                                                                   \
            uint64_t value;                                                                                                        \
            asm("mrs %0, " id : "=r"(value));                                                                                      \
            at_least<lsb>(value, least);                                                                                           \
        }))
#define KEPT(name, encoding) ROW(name, encoding, 0, true)
#define OTHER(name, encoding)

#define ROW(name, encoding, bits, there) name,
enum Register : unsigned {
#include "test/guests/hostile/registers.def"
    count
};
#undef ROW

const char* name_of(unsigned n) {
    switch (n) {
#define ROW(name, encoding, bits, there)                                                                                           \
    case name:                                                                                                                     \
        return #name;
#include "test/guests/hostile/registers.def"
#undef ROW
    default: return "?";
    }
}

uint64_t bits_of(unsigned n) {
    switch (n) {
#define ROW(name, encoding, bits, there)                                                                                           \
    case name:                                                                                                                     \
        return bits;
#include "test/guests/hostile/registers.def"
#undef ROW
    default: return 0;
    }
}

bool is_there(unsigned n) {
    switch (n) {
#define ROW(name, encoding, bits, there)                                                                                           \
    case name:                                                                                                                     \
        return there;
#include "test/guests/hostile/registers.def"
#undef ROW
    default: return false;
    }
}

uint64_t read(unsigned n) {
    uint64_t value = 0;
    switch (n) {
#define ROW(name, encoding, bits, there)                                                                                           \
    case name:                                                                                                                     \
        asm volatile("mrs %0, " encoding : "=r"(value) : : "memory");                                                              \
        break;
#include "test/guests/hostile/registers.def"
#undef ROW
    }
    return value;
}

#undef KEPT
#define KEPT(name, encoding)
void write(unsigned n, uint64_t value) {
    switch (n) {
#define ROW(name, encoding, bits, there)                                                                                           \
    case name:                                                                                                                     \
        asm volatile("msr " encoding ", %0" : : "r"(value) : "memory");                                                            \
        break;
#include "test/guests/hostile/registers.def"
#undef ROW
    }
}

bool there[count];
uint64_t pattern[count], seen[count];
unsigned corruptions;

/// Not zero in any field: ones and zeros that differ from guest to guest.
uint64_t pattern_of(unsigned n, uint64_t seed) {
    uint64_t bits = bits_of(n);
    uint64_t word = (seed == 1 ? 0x5555'5555'5555'5555 : 0xaaaa'aaaa'aaaa'aaaa) ^ (n << 8);
    uint64_t value = word & bits;
    return value ? value : seed == 1 ? bits : 0;
}

void fill() {
    for (unsigned n = 0; n < count; ++n)
        if (there[n]) write(n, pattern[n]);
    isb();
}

void compare(const char* after) {
    isb();
    for (unsigned n = 0; n < count; ++n)
        if (there[n]) seen[n] = read(n);
    for (unsigned n = 0; n < count; ++n) {
        if (!there[n] || seen[n] == pattern[n]) continue;
        ++corruptions;
        print("CORRUPT {} after {}: {x} for {x}", name_of(n), after, seen[n], pattern[n]);
    }
}

/// What the registers keep of the pattern is what is compared. VBAR_EL1 is `vectors`, if there are any to try: with interrupts masked
/// no exception uses it.
void learn(uint64_t seed, uint64_t vectors) {
    for (unsigned n = 0; n < count; ++n) {
        there[n] = is_there(n);
        if (!there[n]) continue;
        write(n, n == vbar_el1 && vectors ? vectors : pattern_of(n, seed));
        isb();
        pattern[n] = read(n);
    }
    for (unsigned n = 0; n < count; ++n)
        if (there[n]) print("register {} {x}", name_of(n), pattern[n]);
}

/// Breakpoints on all of memory and single steps, which must not hit a service.
void set_debug_traps() {
    constexpr uint64_t enabled_anywhere = 0x21e7, step_and_monitor = 0xa001;
    uint64_t got = 0, value;
    asm volatile("msr dbgbvr0_el1, %0\n msr dbgbcr0_el1, %1\n msr mdscr_el1, %2\n isb"
                 :
                 : "r"(0x400000ull), "r"(enabled_anywhere), "r"(step_and_monitor));
    asm volatile("mrs %0, mdscr_el1" : "=r"(value));
    got |= value;
    asm volatile("mrs %0, dbgbcr0_el1" : "=r"(value));
    got |= value;
    print("debug registers {x}", got);
}

/// A write with the MMU off and data big-endian, which is nobody's business but the guest's.
void write_oddly() {
    constexpr uint64_t ee = 1 << 25, i = 1 << 12, c = 1 << 2, m = 1 << 0;
    uint64_t own;
    asm volatile("mrs %0, sctlr_el1" : "=r"(own));
    asm volatile("msr sctlr_el1, %0\n isb\n str wzr, [%1]\n msr sctlr_el1, %2\n isb"
                 :
                 : "r"((own & ~(i | c | m)) | ee), "r"(device), "r"(own)
                 : "memory");
}

} // namespace

extern "C" void guest_main() {
    if (!start_machine()) return;
    IrqGuard masked;
    uint64_t seed = mmio_read<uint32_t>(device);
    uint64_t fp_seed = seed * 0x0123'4567'89ab'0001 + seed;
    set_debug_traps();
    learn(seed, mmio_read<uint64_t>(device + 8));
    print("ready");
    for (uint64_t round = 1;; ++round) {
        bool spin = round % 16 == 0;
        fill_fp(fp_seed);
        fill();
        if (spin) {
            uint64_t end = CntvctEl0::read() + CntfrqEl0::read() / 500;
            while (CntvctEl0::read() < end) asm volatile("");
        } else if (round % 16 == 8) {
            write_oddly();
        } else if (round % 2) {
            mmio_read<uint32_t>(device);
        } else {
            mmio_write<uint32_t>(device, 1);
        }
        compare(spin ? "spinning" : "access");
        if (uint64_t difference = check_fp(fp_seed)) {
            ++corruptions;
            print("CORRUPT fp after {}: {x}", spin ? "spinning" : "access", difference);
        }
        if (round % 512 == 0) print("rounds {} corruptions {}", round, corruptions);
    }
}
