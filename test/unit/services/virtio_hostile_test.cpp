// SPDX-License-Identifier: MIT
// A driver that does what it must not: it is told so, and hurts nobody else.
#include "virtio_driver.hpp"
#include <catch2/catch.hpp>
#include <random>

using namespace virtio;
using virtio_console::receiveq, virtio_console::transmitq;
namespace effect = virtio_console::effect;

namespace {

constexpr uint64_t ram_end = Driver::ram_base + Driver::ram_size;

/// The device stands still and says why, once; after a reset all is well.
void check_refused(Driver& driver, std::string_view why) {
    CHECK((driver.read(Register::status) & status::needs_reset) != 0);
    CHECK(driver.took(effect::mistake));
    CHECK(driver.device.take_mistake() == why);
    CHECK(driver.device.take_mistake().empty());
    CHECK(driver.take().empty());
    if ((driver.read(Register::status) & status::driver_ok) != 0) { CHECK((driver.take_interrupts() & interrupt::config) != 0); }
    auto const index = driver.used(transmitq).index;
    driver.write(Register::status, driver.read(Register::status)); // does not mend it
    driver.kick(transmitq);
    driver.kick(receiveq);
    CHECK_FALSE(driver.took(effect::mistake));
    CHECK(driver.used(transmitq).index == index);
    driver.restart();
    CHECK((driver.read(Register::status) & status::needs_reset) != 0);
    driver.begin(8);
    driver.send("well again");
    CHECK(driver.take() == "well again");
}

} // namespace

TEST_CASE("a queue must be where it can be", "[virtio][hostile]") {
    struct Place {
        uint64_t descriptors = Driver::ram_base, driver = Driver::ram_base + 0x1000, device = Driver::ram_base + 0x1800;
        uint32_t size = 8;
    };
    auto const place = GENERATE(Place{.size = 0}, Place{.size = 3}, Place{.size = 512}, Place{.size = 0x8000'0000},
                                Place{.descriptors = Driver::ram_base + 8}, Place{.driver = Driver::ram_base + 1},
                                Place{.device = Driver::ram_base + 2}, Place{.descriptors = Driver::ram_base - 16},
                                Place{.descriptors = ram_end - 112}, Place{.driver = ram_end - 20}, Place{.device = ram_end - 68},
                                Place{.descriptors = ~0ull - 15}, Place{.descriptors = 0}, Place{.driver = 0}, Place{.device = 0},
                                Place{.device = ~0ull - 3}, Place{.driver = ~0ull - 1});
    Driver driver;
    driver.begin(8);
    driver.write(Register::queue_select, 1);
    driver.write(Register::queue_ready, 0);
    driver.write(Register::queue_size, place.size);
    driver.put_address(Register::queue_descriptors, place.descriptors);
    driver.put_address(Register::queue_driver, place.driver);
    driver.put_address(Register::queue_device, place.device);
    driver.write(Register::queue_ready, 1);
    CHECK(driver.read(Register::queue_ready) == 0);
    check_refused(driver, "queue");
}

TEST_CASE("a queue may end where the RAM does", "[virtio][hostile]") {
    Driver driver;
    driver.begin(8);
    driver.write(Register::queue_select, 1);
    driver.write(Register::queue_ready, 0);
    driver.put_address(Register::queue_descriptors, ram_end - 128);
    driver.put_address(Register::queue_driver, ram_end - 256 - 22);
    driver.put_address(Register::queue_device, ram_end - 512 - 72);
    driver.write(Register::queue_ready, 1);
    CHECK(driver.read(Register::queue_ready) == 1);
}

TEST_CASE("a buffer must be RAM, all of it", "[virtio][hostile]") {
    struct Buffer {
        uint64_t address;
        uint32_t length;
        bool good = false;
    };
    auto const buffer = GENERATE(Buffer{0, 1}, Buffer{Driver::ram_base - 1, 1}, Buffer{Driver::ram_base - 1, 2}, Buffer{ram_end, 1},
                                 Buffer{ram_end - 1, 2}, Buffer{ram_end - 8, ~0u}, Buffer{~0ull, 1}, Buffer{~0ull, 2},
                                 Buffer{~0ull - Driver::ram_base, ~0u}, Buffer{Driver::ram_base, Driver::ram_size + 1},
                                 Buffer{ram_end + 1, 0}, Buffer{ram_end - 8, 8, true}, Buffer{ram_end, 0, true});
    auto const queue = GENERATE(receiveq, transmitq);
    Driver driver;
    driver.begin(8);
    driver.add(queue, {{Driver::data, 4, queue == receiveq}, {Driver::data, 4, queue == receiveq}});
    driver.descriptor(queue, 1).address = buffer.address;
    driver.descriptor(queue, 1).length = buffer.length;
    if (queue == receiveq) { driver.type("hello, world"); }
    driver.kick(queue);
    if (buffer.good) {
        CHECK(driver.reap(queue).size() == 1);
    } else {
        check_refused(driver, "address");
    }
}

TEST_CASE("a chain must be one", "[virtio][hostile]") {
    Driver driver;
    driver.begin(8);
    std::string_view why;
    driver.add(transmitq, {{Driver::data, 4}, {Driver::data, 4}, {Driver::data, 4}});
    SECTION("that ends") {
        driver.descriptor(transmitq, 2).flags = Descriptor::next_follows;
        driver.descriptor(transmitq, 2).next = 1;
        why = "loop";
    }
    SECTION("within the queue") {
        driver.descriptor(transmitq, 0).next = 8;
        why = "next";
    }
    SECTION("far within the queue") {
        driver.descriptor(transmitq, 0).next = 0xffff;
        why = "next";
    }
    SECTION("that begins within the queue") {
        driver.available_head(transmitq, 0) = 8;
        why = "head";
    }
    SECTION("without tables") {
        driver.descriptor(transmitq, 1).flags |= Descriptor::indirect;
        why = "indirect";
    }
    SECTION("for the device to read") {
        driver.descriptor(transmitq, 2).flags = Descriptor::device_writes;
        why = "direction";
    }
    SECTION("with what the device writes at its end") {
        driver.descriptor(transmitq, 0).flags |= Descriptor::device_writes;
        why = "direction";
    }
    SECTION("not more of them than there are descriptors") {
        driver.available(transmitq).index = 9;
        why = "index";
    }
    SECTION("nor less") {
        driver.available(transmitq).index = 0xffff;
        why = "index";
    }
    driver.kick(transmitq);
    check_refused(driver, why);
}

TEST_CASE("what is for the driver to read is not written to", "[virtio][hostile]") {
    Driver driver;
    driver.begin(8);
    std::string_view why = "direction";
    driver.add(receiveq, {{Driver::data, 4, true}, {Driver::data + 4, 4, true}});
    SECTION("at once") { driver.descriptor(receiveq, 0).flags = Descriptor::next_follows; }
    SECTION("later") { driver.descriptor(receiveq, 1).flags = 0, why = "order"; }
    driver.type("typed text");
    CHECK(driver.used(receiveq).index == 0);
    check_refused(driver, why);
}

TEST_CASE("a chain of more than 2^32 bytes is none", "[virtio][hostile]") {
    Driver driver(64);
    std::vector<Driver::Part> parts(256, {0, Driver::ram_size});
    driver.begin(256);
    CHECK(sizeof(driver.ram[0]) * driver.ram.size() * 256 < 1ull << 32); // not with this RAM
    GuestMemory const large(driver.ram.data(), 0, 1ull << 32);           // (nothing is read of it)
    QueueState state{};
    state.size = 2;
    state.driver = 0x1000, state.device = 0x2000;
    Queue queue(state, large);
    REQUIRE(queue.open(false));
    driver.at<Descriptor>(0) = {0, ~0u, Descriptor::next_follows, 1};
    driver.at<Descriptor>(16) = {0, 1, 0, 0};
    driver.at<Available>(0x1000).index = 1;
    Chain chain;
    REQUIRE(queue.take(chain) == Queue::Take::chain);
    Chain::Buffer buffer;
    CHECK(chain.next(buffer) == Chain::Next::buffer);
    CHECK(chain.next(buffer) == Chain::Next::broken);
    CHECK(queue.mistake() == "length");
}

TEST_CASE("what changes under the device's eyes hurts nobody else", "[virtio][hostile]") {
    Driver driver(64);
    driver.begin(8);
    driver.add(transmitq, driver.text(std::string(200, 'a')));
    driver.kick(transmitq);
    driver.descriptor(transmitq, 0).length = 10; // less than went out already
    CHECK(driver.take(60) == std::string(60, 'a'));
    CHECK(driver.reap(transmitq).size() == 1);
    driver.send("next");
    driver.take(4);
    CHECK(driver.take() == "next");
}

TEST_CASE("any registers and any memory do no harm", "[virtio][hostile]") {
    std::mt19937 random(GENERATE(range(0u, 20u)));
    auto const any = [&](uint32_t below) { return static_cast<uint32_t>(random() % below); };
    Driver driver(256);
    for (int round = 0; round < 300; ++round) {
        driver.begin(1u << any(9), any(2) != 0 ? Driver::wanted : feature::version_1);
        for (int n = 0; n < 40; ++n) {
            uint32_t const queue = any(2);
            switch (any(8)) {
            case 0: driver.at<uint16_t>(2 * any(Driver::data / 2)) = static_cast<uint16_t>(random()); break;
            case 1:
                driver.descriptor(queue, any(256)) = {Driver::ram_base + any(0x1'1000), any(0x4000), static_cast<uint16_t>(any(8)),
                                                      static_cast<uint16_t>(any(260))};
                break;
            case 2: driver.available_head(queue, any(256)) = static_cast<uint16_t>(any(260)); break;
            case 3: driver.available(queue).index = static_cast<uint16_t>(driver.available(queue).index + any(4)); break;
            case 4: driver.write(4 * any(80), any(3) != 0 ? any(256) : static_cast<uint32_t>(random())); break;
            case 5: driver.kick(queue); break;
            case 6: driver.type("some input"); break;
            case 7: driver.take(any(300)); break;
            }
            if (any(50) == 0) { driver.restart(); }
        }
    }
}
