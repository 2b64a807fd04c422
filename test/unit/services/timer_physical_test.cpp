// SPDX-License-Identifier: MIT
// The physical timer's registers and arithmetic.
#include "services/timer/physical.hpp"
#include <catch2/catch.hpp>

using timer::cntp_ctl;
using timer::cntp_cval;
using timer::cntp_tval;
using timer::Physical;

TEST_CASE("CNTP_CTL: ISTATUS follows the condition, IMASK holds the line back", "[timer][cntp]") {
    Physical t{};
    CHECK(t.read(cntp_ctl, 1000) == 0);
    t.write(cntp_cval, 1000, 0);
    CHECK(t.read(cntp_ctl, 2000) == 0); // ENABLE=0
    CHECK_FALSE(t.line(2000));
    t.write(cntp_ctl, ~0ull, 0); // ISTATUS is read-only, the rest reserved
    CHECK(t.read(cntp_ctl, 999) == 3);
    CHECK(t.read(cntp_ctl, 1000) == 7);
    CHECK_FALSE(t.line(1000));
    t.write(cntp_ctl, 1, 0);
    CHECK(t.read(cntp_ctl, 999) == 1);
    CHECK(t.read(cntp_ctl, 1000) == 5);
    CHECK_FALSE(t.line(999));
    CHECK(t.line(1000));
    CHECK(t.line(~0ull));
}

TEST_CASE("CNTP_CVAL compares as an unsigned number", "[timer][cntp]") {
    Physical t{};
    t.write(cntp_ctl, 1, 0);
    t.write(cntp_cval, ~0ull, 0);
    CHECK(t.read(cntp_cval, 0) == ~0ull);
    CHECK_FALSE(t.line(0));
    CHECK_FALSE(t.line(0x8000'0000'0000'0000));
    CHECK_FALSE(t.line(~0ull - 1));
    CHECK(t.line(~0ull));
    t.write(cntp_cval, 0, 0);
    CHECK(t.line(0));
}

TEST_CASE("CNTP_TVAL counts down from a signed 32-bit number", "[timer][cntp]") {
    Physical t{};
    const uint64_t now = GENERATE(0x10ull, 0x1'0000'0000ull, 0x7fff'ffff'ffffull, 0x1234'ffff'ffffull);
    CAPTURE(now);
    t.write(cntp_tval, 100, now);
    CHECK(t.cval == now + 100);
    CHECK(t.read(cntp_tval, now) == 100);
    CHECK(t.read(cntp_tval, now + 100) == 0);
    CHECK(t.read(cntp_tval, now + 101) == 0xffff'ffff); // 32 bits, below zero
    t.write(cntp_tval, 0xffff'fff0, now);               // -16
    CHECK(t.cval == now - 16);
    t.write(cntp_tval, 0x8000'0000, now);
    CHECK(t.cval == now - 0x8000'0000ull);
    t.write(cntp_tval, 0xdead'0000'7fff'ffff, now); // the upper half is reserved
    CHECK(t.cval == now + 0x7fff'ffff);
}

TEST_CASE("CNTP_TVAL wraps around the ends of the count", "[timer][cntp]") {
    Physical t{};
    t.write(cntp_tval, 10, ~0ull - 4);
    CHECK(t.cval == 5);
    CHECK(t.read(cntp_tval, ~0ull - 4) == 10);
    t.write(cntp_tval, 0xffff'ffff, 0);
    CHECK(t.cval == ~0ull);
    t.write(cntp_ctl, 1, 0);
    CHECK_FALSE(t.line(0)); // as on hardware: the compare value is in the far future
}

TEST_CASE("only an enabled, unmasked timer that has not expired has a deadline", "[timer][cntp]") {
    Physical t{};
    t.write(cntp_cval, 500, 0);
    CHECK(t.deadline(0) == abi::no_deadline);
    t.write(cntp_ctl, 3, 0);
    CHECK(t.deadline(0) == abi::no_deadline);
    t.write(cntp_ctl, 1, 0);
    CHECK(t.deadline(0) == 500);
    CHECK(t.deadline(499) == 500);
    CHECK(t.deadline(500) == abi::no_deadline);
}

TEST_CASE("only the three CNTP registers are ours", "[timer][decode]") {
    CHECK(timer::is_register(abi::sysreg(3, 3, 14, 2, 0)));
    CHECK(timer::is_register(abi::sysreg(3, 3, 14, 2, 1)));
    CHECK(timer::is_register(abi::sysreg(3, 3, 14, 2, 2)));
    for (unsigned op2 = 0; op2 < 3; ++op2) { CHECK_FALSE(timer::is_register(abi::sysreg(3, 7, 14, 2, op2))); } // CNTPS
    CHECK_FALSE(timer::is_register(abi::sysreg(3, 3, 14, 3, 1)));                                              // CNTV_CTL
    CHECK_FALSE(timer::is_register(0));
}
