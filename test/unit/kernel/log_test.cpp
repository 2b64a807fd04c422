// SPDX-License-Identifier: MIT
// The core's own lines: their form, on the PL011.
#include "lib/log.hpp"
#include "machine.hpp"

namespace bulkhead::test {

TEST_CASE("a line has its time, source, event and fields", "[log]") {
    Machine m;
    hw::counter = 12'345'678; // us
    hw::log.clear();
    LogLine("core", "fault.", "stage2")
        .field("partition", "a")
        .field("vcpu", uint64_t{0})
        .hex("ipa", 0x9000'0000)
        .hex("zero", 0)
        .word(~0ull);
    CHECK(printed() == "[  12.345678] core: fault.stage2 partition=a vcpu=0 ipa=0x90000000 zero=0x0 0xffffffffffffffff\r\n");
}

TEST_CASE("times and numbers may be long", "[log]") {
    Machine m;
    hw::counter = 1'234'000'042;
    hw::log.clear();
    LogLine("core", "x").field("most", ~0ull);
    CHECK(printed() == "[1234.000042] core: x most=18446744073709551615\r\n");
}

TEST_CASE("before the core speaks for a console that cannot go on, it ends the console's frame and line", "[log]") {
    Machine m;
    hw::log.clear();
    LogLine::leave_console();
    CHECK(printed() == std::string(300, '\0') + "\r\n");
}

} // namespace bulkhead::test
