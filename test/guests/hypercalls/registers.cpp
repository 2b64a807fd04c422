// SPDX-License-Identifier: MIT
// Registers that a hypercall must not touch, and numbers that are none.
#include "test/guests/hypercalls/cast.hpp"

namespace test {
namespace {

struct Seen {
    uint64_t x0, changed; ///< changed: all differences of x9..x28, x30 to what was in them, or-ed
};

/// `hvc #number` with marks in every register that must survive. x0 = 0: no handle, nothing happens.
template <unsigned number> [[gnu::noinline]] Seen marked(uint64_t argument) {
    register uint64_t x0 asm("x0") = argument;
    register uint64_t x1 asm("x1") = argument;
    asm volatile(".irp n, 9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,30\n"
                 "movz x\\n, #\\n + 0x500\n movk x\\n, #0xbeef, lsl #48\n"
                 ".endr\n"
                 "hvc %2\n"
                 "mov x8, #0\n"
                 ".irp n, 9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,30\n"
                 "movz x7, #\\n + 0x500\n movk x7, #0xbeef, lsl #48\n eor x7, x7, x\\n\n orr x8, x8, x7\n"
                 ".endr\n"
                 "mov x1, x8\n"
                 : "+r"(x0), "+r"(x1)
                 : "i"(number)
                 : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18",
                   "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x30", "memory", "cc");
    return {x0, x1};
}

template <unsigned number> void one(Status expected) {
    auto const seen = marked<number>(0);
    Name const name("registers.%u", number), status("status.%u", number);
    check(name, uint64_t{0}, seen.changed);
    check(status, expected, static_cast<Status>(seen.x0));
}

} // namespace

void check_registers() {
    one<0>(Status::unsupported); // SMCCC is not for native partitions
    one<1>(Status::bad_handle);
    one<3>(Status::bad_handle);
    one<4>(Status::bad_handle);
    one<5>(Status::bad_handle);
    one<6>(Status::bad_handle);
    one<7>(Status::bad_handle);
    one<9>(Status::bad_handle);
    one<10>(Status::bad_handle);
    one<12>(Status::bad_handle);
    one<13>(Status::bad_handle);
    one<14>(Status::bad_handle);
    one<15>(Status::bad_handle);
    one<16>(Status::bad_handle);
    one<17>(Status::bad_handle);
    one<18>(Status::bad_handle);
    one<19>(Status::bad_handle);
    one<20>(Status::bad_handle);
    one<21>(Status::bad_handle);
    one<25>(Status::unsupported);
    one<0x102>(Status::unsupported);
    one<0xffff>(Status::unsupported);
    auto const statistics = marked<22>(2);
    check("registers.22", uint64_t{0}, statistics.changed);
}

} // namespace test
