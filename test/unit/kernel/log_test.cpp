// SPDX-License-Identifier: MIT
// The core's log lines: their form, whole or not at all in the ring, and on the PL011 while there is no console.
#include "abi/ring.hpp"
#include "lib/log.hpp"
#include "machine.hpp"

namespace bulkhead::test {

namespace {

constexpr uint64_t ring_at = 0x4100'0000, ring_size = 512; // 256 bytes of data

/// A core with a console, which has a notification for what is new.
struct Logging : Machine {
    Vcpu& console = vcpu(native("console"), 0, 20);
    ObjectRef bell = notification(console);
    abi::RingHeader& ring = *hw::pointer<abi::RingHeader>({ring_at});

    Logging() {
        hw::counter = 12'345'678; // us
        std::fill_n(hw::pointer<uint8_t>({ring_at}), ring_size, uint8_t{0});
        log::init({ring_at}, ring_size, bell.index(), 5);
    }
    ~Logging() { log::leave_console(); }
    std::string take() {
        std::string text;
        const char* data = reinterpret_cast<const char*>(&ring + 1);
        for (; ring.tail != ring.head; ++ring.tail) { text += data[ring.tail % abi::ring_capacity(ring_size)]; }
        return text;
    }
};

} // namespace

TEST_CASE("a line has its time, source, event and fields", "[log]") {
    Logging m;
    LogLine("core", "fault.", "stage2")
        .field("partition", "a")
        .field("vcpu", uint64_t{0})
        .hex("ipa", 0x9000'0000)
        .hex("zero", 0)
        .word(~0ull);
    CHECK(m.take() == "[  12.345678] core: fault.stage2 partition=a vcpu=0 ipa=0x90000000 zero=0x0 0xffffffffffffffff\n");
    CHECK(objects.at(m.bell.index()).notification.pending.load() == 1u << 5);
    hw::counter = 1'234'000'042;
    LogLine("core", "x").field("most", ~0ull);
    CHECK(m.take() == "[1234.000042] core: x most=18446744073709551615\n");
}

TEST_CASE("a line that is too long is cut, and still ends", "[log]") {
    Logging m;
    log::init({ring_at}, 4096, 0, 0);
    const std::string filler(1'000, 'y');
    LogLine("core", "x").field("long", filler.c_str()).field("lost", uint64_t{1});
    CHECK(m.ring.head == 320);
    const char* data = reinterpret_cast<const char*>(&m.ring + 1);
    CHECK(std::string(data + 300, data + 320) == std::string(19, 'y') + "\n");
}

TEST_CASE("a full ring drops whole lines, and goes on when there is room, round its end", "[log]") {
    Logging m;
    for (unsigned n = 0; n < 100; ++n) { LogLine("core", "n").field("n", n); }
    std::string all = m.take();
    CHECK(all.size() <= 256);
    CHECK(std::count(all.begin(), all.end(), '\n') == std::count(all.begin(), all.end(), '['));
    CHECK(all.back() == '\n');
    for (unsigned n = 0; n < 100; ++n) {
        LogLine("core", "n").field("n", n);
        CHECK(m.take() == "[  12.345678] core: n n=" + std::to_string(n) + "\n");
    }
}

TEST_CASE("a ring that its consumer has spoilt takes nothing, and is not overrun", "[log]") {
    Logging m;
    m.ring.tail = GENERATE(1u, 1'000u, 0x8000'0000u); // ahead of the head
    LogLine("core", "lost");
    CHECK(m.ring.head == 0);
    for (uint64_t n = sizeof(abi::RingHeader); n < ring_size; ++n) { REQUIRE(hw::pointer<uint8_t>({ring_at})[n] == 0); }
}

TEST_CASE("without a console lines go to the PL011, after what ends a frame", "[log]") {
    Logging m;
    log::leave_console();
    hw::log.clear();
    LogLine("machine", "off").field("reason", "policy");
    CHECK(printed() == "[  12.345678] machine: off reason=policy\r\n");
    CHECK(m.ring.head == 0);
}

} // namespace bulkhead::test
