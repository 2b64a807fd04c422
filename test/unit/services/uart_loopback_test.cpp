// SPDX-License-Identifier: MIT
// The PL011 model's loopback: data, break, overrun and the modem lines.
#include "uart_pl011.hpp"
#include <catch2/catch.hpp>

using namespace pl011;

namespace {
constexpr uint32_t on = control::enable | control::transmit | control::receive;

Device looped() {
    Device uart;
    uart.enable();
    uart.write(Register::cr, on | control::loopback);
    return uart;
}
} // namespace

TEST_CASE("in loopback, what is sent is received and nothing leaves", "[uart]") {
    auto uart = looped();
    uart.write(Register::dr, 'a');
    uart.write(Register::dr, 'b');
    CHECK(uart.take().empty());
    CHECK(uart.read(Register::dr) == 'a');
    CHECK(uart.read(Register::dr) == 'b');
    CHECK((uart.flags() & flag::rx_empty) != 0);
}

TEST_CASE("input waits while loopback is on", "[uart]") {
    auto uart = looped();
    uart.type("typed");
    uart.write(Register::dr, 'a');
    CHECK(uart.read(Register::dr) == 'a');
    CHECK((uart.flags() & flag::rx_empty) != 0);
    uart.write(Register::dr, 'b');
    uart.write(Register::cr, on);
    CHECK(uart.read(Register::dr) == 'b'); // was in the FIFO first
    uart.wait(1000);
    CHECK(uart.read(Register::dr) == 't');
}

TEST_CASE("a byte more than the FIFO holds is an overrun", "[uart]") {
    auto uart = looped();
    for (unsigned i = 0; i < fifo_depth; ++i) { uart.write(Register::dr, 'a' + i % 26); }
    CHECK((uart.flags() & flag::rx_full) != 0);
    CHECK((uart.raw() & interrupt::overrun) == 0);
    uart.write(Register::dr, '!');
    CHECK((uart.raw() & interrupt::overrun) != 0);
    CHECK(uart.read(Register::rsr) == data::overrun_status);
    for (unsigned i = 0; i < fifo_depth - 1; ++i) { CHECK(uart.read(Register::dr) == 'a' + i % 26); }
    CHECK(uart.read(Register::dr) == ('a' + (fifo_depth - 1) % 26 | data::overrun));
    CHECK((uart.flags() & flag::rx_empty) != 0);
    uart.write(Register::rsr, 0xff);
    CHECK(uart.read(Register::rsr) == 0);
}

TEST_CASE("a break comes back as one zero with the break error", "[uart]") {
    auto uart = looped();
    uart.write(Register::lcr_h, line::eight_bits | line::fifos | line::send_break);
    CHECK((uart.raw() & interrupt::break_) != 0);
    CHECK(uart.read(Register::dr) == data::break_error);
    CHECK(uart.read(Register::rsr) == data::break_error >> data::error_shift);
    CHECK((uart.flags() & flag::rx_empty) != 0);
    uart.write(Register::dr, 'x');
    CHECK(uart.read(Register::dr) == 'x');
    CHECK(uart.read(Register::rsr) == 0);
}

TEST_CASE("the modem outputs come back as inputs, and their changes interrupt", "[uart]") {
    auto uart = looped();
    uart.write(Register::icr, interrupt::all);
    auto const modem = flag::cts | flag::dsr | flag::dcd | flag::ri;
    CHECK((uart.flags() & modem) == 0);
    auto const [output, input, event] = GENERATE(table<uint32_t, uint32_t, uint32_t>({{control::rts, flag::cts, interrupt::cts},
                                                                                      {control::dtr, flag::dsr, interrupt::dsr},
                                                                                      {control::out1, flag::dcd, interrupt::dcd},
                                                                                      {control::out2, flag::ri, interrupt::ri}}));
    uart.write(Register::cr, on | control::loopback | output);
    CHECK((uart.flags() & modem) == input);
    CHECK(uart.raw() == event);
}
