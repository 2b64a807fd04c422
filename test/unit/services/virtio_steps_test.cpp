// SPDX-License-Identifier: MIT
// The service of a VirtIO console is killed behind each single instruction of its work for a chain, and started again.
#include "stepping.hpp"
#include "virtio_driver.hpp"

using virtio_console::receiveq, virtio_console::transmitq;

namespace {

/// What it leaves: its state, both rings, the guest's RAM.
Regions remains_of(Driver& driver) {
    return {region(*driver.state), region(driver.tx_memory), region(driver.rx_memory), region(driver.ram)};
}

void pump(virtio_console::Console& console) { console.pump(); }

} // namespace

TEST_CASE("what is sent comes out once, whichever instruction was the last", "[virtio][restart]") {
    bool const console_first = GENERATE(true, false);
    Driver driver(64);
    driver.begin(8);
    driver.send("before, ");
    driver.take();
    driver.reap(transmitq);
    driver.add(transmitq, driver.text("abc", {1}));
    auto const regions = remains_of(driver);
    auto const left =
        step_through(regions, [&] { driver.device.write(static_cast<uint32_t>(Driver::Register::queue_notify), 4, transmitq); });
    CHECK(left.size() >= 7); // three bytes, the head, two halves of an element, the progress, the index
    for (auto const& remains : left) {
        CAPTURE(&remains - left.data());
        remains.leave_to(regions);
        std::string text = console_first ? driver.take() : "";
        driver.restart();
        driver.kick(transmitq);
        auto const reaped = driver.reaped;
        auto const used = driver.reap(transmitq);
        driver.reaped = reaped;
        REQUIRE(used.size() == 1);
        CHECK(used[0].head == 1);
        CHECK(text + driver.take() == "abc");
    }
}

TEST_CASE("what is typed comes in once, whichever instruction was the last", "[virtio][restart]") {
    Driver driver(64);
    driver.begin(8);
    driver.add(receiveq, {{Driver::data, 2, true}});
    driver.add(receiveq, {{Driver::data + 2, 8, true}});
    service::Wake wake;
    REQUIRE(driver.console_rx.write({reinterpret_cast<uint8_t const*>("xyz"), 3}, wake));
    auto const regions = remains_of(driver);
    auto const left = step_through(regions, [&] { driver.device.pump(); });
    CHECK(left.size() >= 12);
    for (auto const& remains : left) {
        CAPTURE(&remains - left.data());
        remains.leave_to(regions);
        driver.restart();
        auto const reaped = driver.reaped;
        auto const used = driver.reap(receiveq);
        driver.reaped = reaped;
        REQUIRE(used.size() == 2);
        CHECK(used[0].written + used[1].written == 3);
        CHECK(std::string(reinterpret_cast<char*>(driver.bytes(Driver::data)), 3) == "xyz");
        CHECK((driver.take_interrupts() & virtio::interrupt::used) != 0);
        driver.run(pump);
        CHECK(driver.console_rx.used() == 0);
    }
}

TEST_CASE("a reset is a reset, whichever instruction was the last", "[virtio][restart]") {
    Driver driver(64);
    driver.begin(8);
    driver.send(std::string(100, 'a')); // not all of it is out
    auto const regions = remains_of(driver);
    auto const left = step_through(regions, [&] { driver.device.write(static_cast<uint32_t>(Driver::Register::status), 4, 0); });
    for (auto const& remains : left) {
        CAPTURE(&remains - left.data());
        remains.leave_to(regions);
        driver.restart();
        driver.write(Driver::Register::status, 0); // comes again
        driver.take();
        driver.begin(8);
        driver.send("whole");
        CHECK(driver.take() == "whole");
    }
}

TEST_CASE("a queue that is taken away begins afresh, whichever instruction was the last", "[virtio][restart]") {
    Driver driver(64);
    driver.begin(8);
    driver.send(std::string(100, 'a')); // not all of it is out
    driver.write(Driver::Register::queue_select, transmitq);
    auto const regions = remains_of(driver);
    auto const left =
        step_through(regions, [&] { driver.device.write(static_cast<uint32_t>(Driver::Register::queue_ready), 4, 0); });
    CHECK(left.size() >= 3); // not ready, the position
    for (auto const& remains : left) {
        CAPTURE(&remains - left.data());
        remains.leave_to(regions);
        driver.restart();
        driver.write(Driver::Register::queue_ready, 0); // comes again
        driver.take();
        driver.set_up(transmitq, 8);
        driver.send("the beginning counts");
        CHECK(driver.take() == "the beginning counts");
    }
}
