// SPDX-License-Identifier: MIT
// What a driver and the console see of a VirtIO console: registers, bytes both ways, interrupts.
#include "virtio_driver.hpp"
#include <catch2/catch.hpp>

using namespace virtio;
using virtio_console::receiveq, virtio_console::transmitq;
namespace effect = virtio_console::effect;

TEST_CASE("the registers say that this is a console", "[virtio]") {
    Driver driver;
    CHECK(driver.read(Register::magic) == 0x7472'6976);
    CHECK(driver.read(Register::version) == 2);
    CHECK(driver.read(Register::device_id) == 3);
    CHECK(driver.read(Register::status) == 0);
    for (uint32_t const queue : {0u, 1u, 2u, ~0u}) {
        driver.write(Register::queue_select, queue);
        CHECK(driver.read(Register::queue_size_max) == (queue < 2 ? 256 : 0));
        CHECK(driver.read(Register::queue_ready) == 0);
        driver.write(Register::queue_size, 1); // of a queue that is not there, too
    }
    driver.write(Register::device_features_select, 0);
    CHECK(driver.read(Register::device_features) == 1u << 29);
    driver.write(Register::device_features_select, 1);
    CHECK(driver.read(Register::device_features) == 1);
    driver.write(Register::device_features_select, 2);
    CHECK(driver.read(Register::device_features) == 0);
    CHECK(driver.read(0x0b0) == ~0u);
    CHECK(driver.read(0x0b4) == ~0u);
    CHECK(driver.read(Register::config) == 0);
}

TEST_CASE("only words are registers", "[virtio]") {
    Driver driver;
    for (unsigned const size : {1u, 2u, 8u}) {
        CHECK(driver.device.read(0, size) == 0);
        driver.device.write(static_cast<uint32_t>(Register::status), size, 1);
    }
    CHECK(driver.device.read(2, 4) == 0);
    CHECK(driver.read(Register::status) == 0);
}

TEST_CASE("features are agreed upon, or FEATURES_OK does not stay", "[virtio]") {
    Driver driver;
    struct Try {
        uint64_t features;
        bool agreed;
    };
    auto const [features, agreed] =
        GENERATE(Try{Driver::wanted, true}, Try{feature::version_1, true}, Try{feature::event_index, false}, Try{0, false},
                 Try{Driver::wanted | 1ull << 28, false}, Try{~0ull, false});
    driver.negotiate(features);
    CHECK(((driver.read(Register::status) & status::features_ok) != 0) == agreed);
    driver.write(Register::driver_features_select, 0); // what is agreed upon stays
    driver.write(Register::driver_features, ~0u);
    driver.write(Register::status, driver.read(Register::status) | status::features_ok);
    CHECK(((driver.read(Register::status) & status::features_ok) != 0) == agreed);
}

TEST_CASE("nothing happens before DRIVER_OK, and then what was waiting", "[virtio]") {
    Driver driver;
    driver.negotiate();
    driver.set_up(0, 8);
    driver.set_up(1, 8);
    driver.send("early");
    CHECK(driver.take().empty());
    driver.write(Register::status, driver.read(Register::status) | status::driver_ok);
    CHECK(driver.take() == "early");
    CHECK(driver.took(effect::wake));
}

TEST_CASE("what the driver sends comes to the console, chain by chain", "[virtio]") {
    Driver driver;
    driver.begin(8, GENERATE(Driver::wanted, feature::version_1));
    auto const first = driver.add(transmitq, driver.text("one, two, three", {4, 0, 5}));
    driver.kick(transmitq);
    CHECK(driver.take() == "one, two, three");
    auto const used = driver.reap(transmitq);
    REQUIRE(used.size() == 1);
    CHECK(used[0].head == first);
    CHECK(used[0].written == 0);
    for (int n = 0; n < 100; ++n) { // more than the queue and its indices have room for
        driver.send("again ");
        CHECK(driver.take() == "again ");
        CHECK(driver.reap(transmitq).size() == 1);
    }
}

TEST_CASE("what is typed comes to the driver's buffers", "[virtio]") {
    Driver driver;
    driver.begin(8);
    driver.type("before there is a buffer, ");
    auto const head = driver.add(receiveq, {{Driver::data, 20, true}, {Driver::data + 20, 0, true}, {Driver::data + 20, 30, true}});
    driver.kick(receiveq);
    auto used = driver.reap(receiveq);
    REQUIRE(used.size() == 1);
    CHECK(used[0].head == head);
    CHECK(used[0].written == 26);
    CHECK(std::string(reinterpret_cast<char*>(driver.bytes(Driver::data)), 26) == "before there is a buffer, ");
    CHECK(driver.take_interrupts() == interrupt::used);
    driver.add(receiveq, {{Driver::data, 3, true}});
    driver.add(receiveq, {{Driver::data + 3, 3, true}});
    driver.type("after");
    used = driver.reap(receiveq);
    REQUIRE(used.size() == 2);
    CHECK(used[0].written == 3);
    CHECK(used[1].written == 2);
    CHECK(std::string(reinterpret_cast<char*>(driver.bytes(Driver::data)), 5) == "after");
}

TEST_CASE("a full ring holds the driver back and loses nothing", "[virtio]") {
    Driver driver(64);
    driver.begin(8);
    std::string all;
    for (int n = 0; n < 50; ++n) { all += "line " + std::to_string(n) + "\n"; }
    driver.add(transmitq, driver.text(all, {1, 70, 3}));
    driver.kick(transmitq);
    std::string out;
    while (driver.reap(transmitq).empty()) {
        REQUIRE(driver.console_tx.used() > 0); // it went on by itself
        out += driver.take(GENERATE(take(1, values({1u, 32u, 33u, 64u}))));
    }
    CHECK(out + driver.take() == all);
}

TEST_CASE("input waits in its ring, and whoever fills that is told of room", "[virtio]") {
    Driver driver(64);
    driver.begin(8);
    REQUIRE(driver.type(std::string(64, 'x')));
    CHECK_FALSE(driver.type("y"));
    driver.console_rx.ask_for_room();
    driver.took(effect::wake);
    driver.add(receiveq, {{Driver::data, 40, true}});
    driver.kick(receiveq);
    CHECK(driver.took(effect::wake));
    CHECK(driver.type("y"));
}

TEST_CASE("the line follows the interrupt status", "[virtio]") {
    Driver driver;
    driver.begin(8);
    driver.took(effect::line);
    driver.add(receiveq, {{Driver::data, 8, true}});
    driver.type("a");
    CHECK(driver.device.line());
    CHECK(driver.took(effect::line));
    driver.write(Register::interrupt_ack, interrupt::config); // another one
    CHECK(driver.device.line());
    driver.write(Register::interrupt_ack, interrupt::used);
    CHECK_FALSE(driver.device.line());
    CHECK(driver.took(effect::line));
}

TEST_CASE("who does not want an interrupt gets none", "[virtio]") {
    Driver driver;
    driver.begin(8, feature::version_1);
    auto const queue = GENERATE(receiveq, transmitq);
    auto const use = [&] {
        driver.add(queue, {{Driver::data, 1, queue == receiveq}});
        driver.kick(queue);
        if (queue == receiveq) { driver.type("a"); }
        driver.wait();
        CHECK(driver.reap(queue).size() == 1);
        return driver.take_interrupts();
    };
    driver.available(queue).flags = Available::no_interrupt;
    CHECK(use() == 0);
    driver.available(queue).flags = 0;
    CHECK(use() == interrupt::used);
}

TEST_CASE("an interrupt for what was sent comes later, and only if the driver has not looked", "[virtio]") {
    Driver driver;
    driver.begin(8);
    driver.send("a");
    CHECK(driver.take_interrupts() == 0);
    CHECK(driver.took(effect::later));
    driver.send("b");
    CHECK_FALSE(driver.took(effect::later)); // once for both
    bool const looked = GENERATE(false, true);
    if (looked) { CHECK(driver.reap(transmitq).size() == 2); }
    driver.effects |= effect::later;
    driver.wait();
    CHECK(driver.take_interrupts() == (looked ? 0 : interrupt::used));
    driver.reap(transmitq);
    driver.send("c");
    CHECK(driver.took(effect::later)); // and again
}

TEST_CASE("the event index asks for the interrupt of one chain, over the wrap of the indices", "[virtio]") {
    Driver driver;
    driver.begin(8);
    for (unsigned n = 0; n < 0x1'0010; ++n) {
        driver.reap(receiveq);
        driver.add(receiveq, {{Driver::data, 1, true}});
        bool const wants = n % 3 == 0;
        driver.used_event(receiveq) = static_cast<uint16_t>(wants ? driver.reaped[receiveq] : driver.reaped[receiveq] - 1);
        driver.type("a");
        if (driver.take_interrupts() != (wants ? interrupt::used : 0)) { FAIL(n); }
    }
}

TEST_CASE("the device says which chain it wants to hear of", "[virtio]") {
    Driver driver(64);
    driver.begin(8);
    CHECK(driver.available_event(transmitq) == 0);
    driver.send("a");
    CHECK(driver.available_event(transmitq) == 1);
    driver.add(receiveq, {{Driver::data, 1, true}});
    driver.kick(receiveq);
    CHECK(driver.available_event(receiveq) == 0); // nothing waits for a buffer
    driver.type("ab");
    CHECK(driver.available_event(receiveq) == 1); // now it does
}

TEST_CASE("a reset by the driver keeps what was typed, one of the VM drops it", "[virtio]") {
    Driver driver;
    driver.begin(8);
    driver.send("sent");
    driver.type("typed");
    bool const by_driver = GENERATE(true, false);
    if (by_driver) {
        driver.write(Register::status, 0);
    } else {
        driver.run([](virtio_console::Console& console) { console.reset(); });
    }
    CHECK(driver.read(Register::status) == 0);
    CHECK_FALSE(driver.device.line());
    driver.write(Register::queue_select, 1);
    CHECK(driver.read(Register::queue_ready) == 0);
    CHECK(driver.take() == "sent");
    auto const there = driver.used(transmitq).index;
    driver.kick(transmitq);
    CHECK(driver.used(transmitq).index == there);
    driver.begin(4);
    driver.add(receiveq, {{Driver::data, 8, true}});
    driver.kick(receiveq);
    CHECK(driver.reap(receiveq).size() == (by_driver ? 1 : 0));
    driver.send("new");
    CHECK(driver.take() == "new");
}

TEST_CASE("a queue that is taken away in the middle of a chain and given again begins afresh", "[virtio]") {
    Driver driver(64);
    driver.begin(8);
    driver.send(std::string(100, 'a'));
    CHECK(driver.take() == std::string(64, 'a') + std::string(0, 'a'));
    driver.write(Register::queue_select, 1);
    driver.write(Register::queue_ready, 0);
    driver.take();
    driver.set_up(1, 8);
    driver.send("the beginning counts");
    CHECK(driver.take() == "the beginning counts");
}

TEST_CASE("where a queue is does not change while it is ready", "[virtio]") {
    Driver driver;
    driver.begin(8);
    driver.write(Register::queue_select, 1);
    driver.put_address(Register::queue_descriptors, 0);
    driver.put_address(Register::queue_driver, ~0ull);
    driver.put_address(Register::queue_device, 1);
    driver.write(Register::queue_size, 3);
    driver.restart();
    driver.send("still here");
    CHECK(driver.take() == "still here");
}

TEST_CASE("one operation looks at a bounded number of descriptors", "[virtio]") {
    Driver driver(1 << 14);
    driver.begin(256);
    for (int n = 0; n < 256; ++n) { driver.add(transmitq, {{Driver::data, 1}}); }
    driver.device.write(static_cast<uint32_t>(Register::queue_notify), 4, transmitq);
    CHECK(driver.used(transmitq).index == 256);
    // Chains of 128, which overlap: 32,768 descriptors to look at.
    for (uint32_t n = 0; n < 256; ++n) {
        driver.descriptor(transmitq, n) = {Driver::ram_base, 0, n % 128 < 127 ? uint16_t{1} : uint16_t{0},
                                           static_cast<uint16_t>((n + 1) % 256)};
    }
    for (uint32_t n = 0; n < 256; ++n) { driver.available_head(transmitq, driver.added[1]++) = 0; }
    driver.available(transmitq).index = driver.added[1];
    driver.device.take_effects();
    driver.device.write(static_cast<uint32_t>(Register::queue_notify), 4, transmitq);
    CHECK(driver.used(transmitq).index == 258);
    CHECK((driver.device.take_effects() & effect::again) != 0);
    driver.run([](virtio_console::Console& console) { console.pump(); });
    CHECK(driver.used(transmitq).index == 512);
}
