// SPDX-License-Identifier: MIT
// The uart is killed behind each single instruction of an access and started again.
#include "stepping.hpp"
#include "uart_pl011.hpp"

using namespace pl011;

namespace {

/// What a uart that is killed leaves: its state region and both rings.
Regions remains_of(Device& uart) { return {region(*uart.state), region(uart.tx_memory), region(uart.rx_memory)}; }

} // namespace

TEST_CASE("a byte comes out once, whichever instruction of its way was the last", "[uart][restart]") {
    Device uart;
    uart.enable();
    uart.write(Register::dr, 'a');
    bool const quick = GENERATE(true, false), console_first = GENERATE(true, false);
    CAPTURE(quick, console_first);
    auto const request = uart.next(3);
    auto const left = step_through(remains_of(uart), [&] {
        if (quick) {
            if (uart.model.send(request, 'b') == Pl011::Sent::not_done) { _exit(2); }
        } else {
            uart.model.write(request, 0, 'b', uart.now);
        }
    });
    CHECK(left.size() >= 5); // a position, its kind, the request's number, the byte, the head
    for (auto const& remains : left) {
        CAPTURE(&remains - left.data());
        remains.leave_to(remains_of(uart));
        std::string text = console_first ? uart.take() : "";
        uart.restart();
        CHECK(uart.write_as(Device::again(request), 0, 'b').tag.action() == abi::Action::advance);
        uart.write(Register::dr, 'c');
        CHECK(text + uart.take() == "abc");
    }
}

TEST_CASE("a byte comes in once, whichever instruction of its way was the last", "[uart][restart]") {
    Device uart;
    uart.enable();
    uart.type("xyz");
    auto const request = uart.next(3);
    auto const left = step_through(remains_of(uart), [&] { uart.model.read(request, 0, uart.now); });
    CHECK(left.size() >= 5);
    for (auto const& remains : left) {
        CAPTURE(&remains - left.data());
        remains.leave_to(remains_of(uart));
        uart.restart();
        CHECK(uart.read_as(Device::again(request), 0).value == 'x');
        CHECK(uart.read(Register::dr) == 'y');
    }
}

TEST_CASE("an interrupt is cleared once, whichever instruction of its way was the last", "[uart][restart]") {
    Device uart;
    uart.enable(false);
    uart.type("ab");
    auto const request = uart.next(3);
    auto const left =
        step_through(remains_of(uart), [&] { uart.model.write(request, offset(Register::icr), interrupt::rx, uart.now); });
    CHECK(left.size() >= 4);
    for (auto const& remains : left) {
        CAPTURE(&remains - left.data());
        remains.leave_to(remains_of(uart));
        uart.restart();
        uart.write_as(Device::again(request), offset(Register::icr), interrupt::rx);
        CHECK((uart.raw() & interrupt::rx) == 0);
        CHECK(uart.read_as(uart.next(1), 0).value == 'a'); // by another vCPU: 'b' arrives
        uart.write_as(Device::again(request), offset(Register::icr), interrupt::rx);
        CHECK((uart.raw() & interrupt::rx) != 0);
    }
}
