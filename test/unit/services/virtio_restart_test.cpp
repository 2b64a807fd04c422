// SPDX-License-Identifier: MIT
// The service is killed at every point of its work and started again: no byte is lost, none comes twice, each buffer is used once.
#include "virtio_driver.hpp"
#include <catch2/catch.hpp>

using namespace virtio;
using virtio_console::receiveq, virtio_console::transmitq, virtio_console::Point;

namespace {

unsigned until_kill = 0; ///< probes that still pass; 0: none kills

void kill(uint32_t, Point) {
    if (until_kill > 0 && --until_kill == 0) { throw Killed{}; }
}

/// Does it again in a new life of the service as often as it is killed, as the core delivers an access again.
template <typename Operation> unsigned surviving(Driver& driver, Operation const& operation) {
    for (unsigned kills = 0;; ++kills) {
        try {
            if (kills > 0) { driver.restart(); }
            operation();
            return kills;
        } catch (Killed) {}
    }
}

std::string pattern(unsigned number) { return "<" + std::to_string(number) + std::string(number * 7 % 50, '.') + ">"; }

} // namespace

TEST_CASE("what is sent survives kills everywhere", "[virtio][restart]") {
    unsigned const at = GENERATE(range(1u, 60u));
    unsigned const every = GENERATE(0u, 1u, 5u); // kills that follow, so many probes later
    Driver driver(64);
    driver.begin(8);
    driver.probe = kill;
    driver.restart();
    until_kill = at;
    std::string wanted, out;
    size_t used = 0;
    unsigned kills = 0;
    for (unsigned n = 0; n < 30; ++n) {
        wanted += pattern(n);
        driver.add(transmitq, driver.text(pattern(n), {1}));
        auto const again = [&] {
            if (until_kill == 0 && kills < 40) { until_kill = every; }
        };
        kills += surviving(driver, [&] { driver.kick(transmitq); });
        again();
        while (driver.used(transmitq).index != driver.added[transmitq]) {
            kills += surviving(driver, [&] { driver.take(out, 20); });
            again();
            REQUIRE(out.size() <= wanted.size());
        }
        for (auto const& element : driver.reap(transmitq)) {
            CHECK(element.head == used * 2 % 8);
            ++used;
        }
    }
    until_kill = 0;
    out += driver.take();
    CHECK(out == wanted);
    CHECK(used == 30);
    CHECK((at > 50 || kills > 0));
}

TEST_CASE("what is typed survives kills everywhere", "[virtio][restart]") {
    unsigned const at = GENERATE(range(1u, 40u));
    Driver driver(64);
    driver.begin(8);
    driver.probe = kill;
    driver.restart();
    until_kill = at;
    std::string wanted, in;
    unsigned kills = 0;
    for (unsigned n = 0; n < 20; ++n) {
        wanted += pattern(n);
        service::Wake wake;
        REQUIRE(driver.console_rx.write({reinterpret_cast<uint8_t const*>(pattern(n).data()), pattern(n).size()}, wake));
        while (!driver.console_rx.used() == 0) {
            driver.add(receiveq, {{Driver::data, 5, true}, {Driver::data + 5, 6, true}});
            kills += surviving(driver, [&] { driver.run([](virtio_console::Console& console) { console.pump(); }); });
            auto const used = driver.reap(receiveq);
            REQUIRE(used.size() == 1);
            in += std::string(reinterpret_cast<char*>(driver.bytes(Driver::data)), used[0].written);
        }
    }
    until_kill = 0;
    CHECK(in == wanted);
    CHECK(kills == 1);
}

TEST_CASE("an interrupt that was due comes after a restart", "[virtio][restart]") {
    Driver driver;
    driver.begin(8);
    driver.probe = kill;
    driver.restart();
    driver.take_interrupts();
    driver.add(receiveq, {{Driver::data, 8, true}});
    until_kill = 3; // copied, committed, told
    CHECK_THROWS_AS(driver.type("a"), Killed);
    CHECK(driver.read(Register::interrupt_status) == 0);
    driver.restart();
    CHECK(driver.take_interrupts() == interrupt::used);
    CHECK(driver.reap(receiveq).size() == 1);
    driver.add(receiveq, {{Driver::data, 8, true}});
    driver.kick(receiveq);
    CHECK(driver.reap(receiveq).empty()); // it is not given twice
}

TEST_CASE("settings and the line survive a restart", "[virtio][restart]") {
    Driver driver;
    driver.begin(8);
    driver.add(receiveq, {{Driver::data, 8, true}});
    driver.type("a");
    REQUIRE(driver.device.line());
    auto const status = driver.read(Register::status);
    driver.restart();
    CHECK(driver.device.line());
    CHECK(driver.took(virtio_console::effect::line));
    CHECK(driver.read(Register::status) == status);
    driver.send("b");
    CHECK(driver.take() == "b");
}

TEST_CASE("a reset that was cut short is finished", "[virtio][restart]") {
    Driver driver(64);
    driver.begin(8);
    driver.send(std::string(100, 'a')); // not all of it is out
    driver.state->transport.status = 0; // the reset's first store
    driver.restart();
    driver.write(Register::queue_select, 1);
    CHECK(driver.read(Register::queue_ready) == 0);
    driver.take();
    driver.begin(8);
    driver.send("whole");
    CHECK(driver.take() == "whole");
}
