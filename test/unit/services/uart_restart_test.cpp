// SPDX-License-Identifier: MIT
// The uart is killed in the middle of an access and started again: each effect happens exactly
// once.
#include "uart_pl011.hpp"
#include <catch2/catch.hpp>

using namespace pl011;

namespace {
bool kill_after_commit = false;
void kill(Point, bool committed) {
    if (committed == kill_after_commit) { throw Killed{}; }
}
} // namespace

TEST_CASE("a byte whose write was interrupted comes out once", "[uart][restart]") {
    kill_after_commit = GENERATE(false, true);
    Device uart;
    uart.enable();
    uart.write(Register::dr, 'a');
    uart.model.set_probe(kill);
    auto const request = uart.next();
    CHECK_THROWS_AS(uart.write_as(request, 0, 'b'), Killed);
    uart.restart();
    CHECK(uart.write_as(Device::again(request), 0, 'b').tag.action() == abi::Action::advance);
    uart.write(Register::dr, 'c');
    CHECK(uart.take() == "abc");
}

TEST_CASE("the other vCPU may come first after the restart", "[uart][restart]") {
    kill_after_commit = GENERATE(false, true);
    Device uart;
    uart.enable();
    uart.write(Register::dr, 'a');
    auto const committed = uart.next(1);
    uart.write_as(committed, 0, 'b'); // done, but the answer is lost with the service
    uart.model.set_probe(kill);
    auto const interrupted = uart.next(0);
    CHECK_THROWS_AS(uart.write_as(interrupted, 0, 'c'), Killed);
    uart.restart();
    uart.write_as(Device::again(committed), 0, 'b');
    uart.write_as(Device::again(interrupted), 0, 'c');
    CHECK(uart.take() == "abc");
}

TEST_CASE("a byte that was read is given again, and not the next one", "[uart][restart]") {
    Device uart;
    uart.enable();
    uart.type("xyz");
    auto const request = uart.next();
    CHECK(uart.read_as(request, 0).value == 'x');
    uart.restart();
    CHECK(uart.read_as(Device::again(request), 0).value == 'x');
    CHECK(uart.read(Register::dr) == 'y');
}

TEST_CASE("clearing an interrupt again does not lose a new one", "[uart][restart]") {
    Device uart;
    uart.enable(false);
    uart.type("ab");
    auto const request = uart.next();
    uart.write_as(request, offset(Register::icr), interrupt::rx);
    uart.restart();
    CHECK(uart.read_as(uart.next(1), 0).value == 'a'); // by the other vCPU: 'b' arrives
    CHECK((uart.raw() & interrupt::rx) != 0);
    uart.write_as(Device::again(request), offset(Register::icr), interrupt::rx);
    CHECK((uart.raw() & interrupt::rx) != 0);
}

TEST_CASE("settings, FIFOs and the interrupt line survive a restart", "[uart][restart]") {
    Device uart;
    uart.enable();
    uart.write(Register::ibrd, 26);
    uart.write(Register::imsc, interrupt::rx);
    uart.type(std::string(16, 'x'));
    CHECK(uart.model.line());
    uart.restart();
    CHECK(uart.read(Register::ibrd) == 26);
    CHECK(uart.read(Register::lcr_h) == (line::eight_bits | line::fifos));
    CHECK(uart.model.line());
    for (int i = 0; i < 16; ++i) { CHECK(uart.read(Register::dr) == 'x'); }
}

TEST_CASE("input that came while the uart was down is received", "[uart][restart]") {
    Device uart;
    uart.enable(false);
    service::Wake wake;
    uint8_t const byte = 'k';
    uart.console_rx.write({&byte, 1}, wake);
    uart.restart();
    CHECK((uart.raw() & interrupt::rx) != 0);
    CHECK(uart.read(Register::dr) == 'k');
}
