// SPDX-License-Identifier: MIT
// The uart is killed behind each single instruction of an access and started again: another process makes the access step by
// step, and what would outlive it is looked at after each step.
#include "uart_pl011.hpp"
#include <catch2/catch.hpp>
#include <csignal>
#include <cstring>
#include <functional>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace pl011;

namespace {

/// What a service that is killed leaves: its state region and both rings.
struct Remains {
    State state;
    std::vector<uint64_t> tx, rx;

    static Remains of(Device const& uart, pid_t process) {
        Remains copy{*uart.state, uart.tx_memory, uart.rx_memory};
        size_t const state_size = sizeof(State), ring_size = copy.tx.size() * sizeof(uint64_t);
        iovec const here[] = {{&copy.state, state_size}, {copy.tx.data(), ring_size}, {copy.rx.data(), ring_size}};
        iovec const there[] = {{uart.state.get(), state_size},
                               {const_cast<uint64_t*>(uart.tx_memory.data()), ring_size},
                               {const_cast<uint64_t*>(uart.rx_memory.data()), ring_size}};
        REQUIRE(process_vm_readv(process, here, 3, there, 3, 0) == static_cast<ssize_t>(state_size + 2 * ring_size));
        return copy;
    }
    void leave_to(Device& uart) const {
        *uart.state = state;
        std::copy(tx.begin(), tx.end(), uart.tx_memory.begin());
        std::copy(rx.begin(), rx.end(), uart.rx_memory.begin());
    }
    bool operator==(Remains const& other) const {
        return std::memcmp(&state, &other.state, sizeof(state)) == 0 && tx == other.tx && rx == other.rx;
    }
};

/// What is left behind each instruction of `access`, from before the first one on, without repetitions. This process does nothing.
std::vector<Remains> step_through(Device const& uart, std::function<void()> const& access) {
    pid_t const other = fork();
    if (other == 0) {
        if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) { _exit(1); }
        raise(SIGSTOP);
        access();
        _exit(0);
    }
    std::vector<Remains> found;
    int status = 0;
    while (waitpid(other, &status, 0) == other && WIFSTOPPED(status)) {
        auto now = Remains::of(uart, other);
        if (found.empty() || !(now == found.back())) { found.push_back(std::move(now)); }
        REQUIRE(ptrace(PTRACE_SINGLESTEP, other, nullptr, nullptr) == 0);
    }
    REQUIRE((WIFEXITED(status) && WEXITSTATUS(status) == 0));
    return found;
}

} // namespace

TEST_CASE("a byte comes out once, whichever instruction of its way was the last", "[uart][restart]") {
    Device uart;
    uart.enable();
    uart.write(Register::dr, 'a');
    bool const quick = GENERATE(true, false), console_first = GENERATE(true, false);
    CAPTURE(quick, console_first);
    auto const request = uart.next(3);
    auto const left = step_through(uart, [&] {
        if (quick) {
            if (uart.model.send(request, 'b') == Pl011::Sent::not_done) { _exit(2); }
        } else {
            uart.model.write(request, 0, 'b', uart.now);
        }
    });
    CHECK(left.size() >= 5); // a position, its kind, the request's number, the byte, the head
    for (auto const& remains : left) {
        CAPTURE(&remains - left.data());
        remains.leave_to(uart);
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
    auto const left = step_through(uart, [&] { uart.model.read(request, 0, uart.now); });
    CHECK(left.size() >= 5);
    for (auto const& remains : left) {
        CAPTURE(&remains - left.data());
        remains.leave_to(uart);
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
    auto const left = step_through(uart, [&] { uart.model.write(request, offset(Register::icr), interrupt::rx, uart.now); });
    CHECK(left.size() >= 4);
    for (auto const& remains : left) {
        CAPTURE(&remains - left.data());
        remains.leave_to(uart);
        uart.restart();
        uart.write_as(Device::again(request), offset(Register::icr), interrupt::rx);
        CHECK((uart.raw() & interrupt::rx) == 0);
        CHECK(uart.read_as(uart.next(1), 0).value == 'a'); // by another vCPU: 'b' arrives
        uart.write_as(Device::again(request), offset(Register::icr), interrupt::rx);
        CHECK((uart.raw() & interrupt::rx) != 0);
    }
}
