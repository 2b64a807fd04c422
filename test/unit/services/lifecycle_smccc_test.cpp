// SPDX-License-Identifier: MIT
// SMCCC's workarounds by CPU, and the TRNG functions with all their codes.
#include "services/lifecycle/psci.hpp"
#include "services/lifecycle/smccc.hpp"
#include "test/unit/services/lifecycle_fake.hpp"
#include <catch2/catch.hpp>

namespace test {
namespace {

struct Cpu {
    char const* name;
    uint64_t midr, csv2;
    int64_t first, second, third; ///< the workarounds' answers
};
constexpr Cpu cpus[] = {
    {"cortex-a53", 0x410f'd034, 0, 1, -2, 1},   {"cortex-a55", 0x412f'd050, 0, 1, -2, 1},
    {"cortex-a57", 0x411f'd070, 0, -1, -1, -1}, {"cortex-a72", 0x410f'd083, 0, -1, -1, -1},
    {"cortex-a76", 0x414f'd0b1, 1, 1, -1, -1},  {"neoverse-n1", 0x414f'd0c1, 1, 1, -1, -1},
    {"max", 0x000f'0510, 2, 1, -1, -1},         {"csv2.3", 0x410f'd490, 3, 1, -1, 1},
    {"not Arm's", 0x510f'd034, 0, -1, -1, -1},
};

struct Guest : Machine {
    Guest() { run(ticker); }
    int64_t call(uint64_t function, uint64_t a = 0) {
        const uint64_t words[] = {function, a, 0, 0, 0, 0};
        return serve_psci(port, ticker, 0, words).x0;
    }
    TrngAnswer trng(uint64_t function, uint64_t a = 0) {
        const uint64_t words[] = {function, a};
        return serve_trng(port, ticker, words);
    }
};

} // namespace

TEST_CASE("a workaround is offered only where it is not needed", "[smccc]") {
    for (auto const& cpu : cpus) {
        INFO(cpu.name);
        Guest guest;
        guest.port.registers = {{abi::sysreg(3, 0, 0, 0, 0), cpu.midr}, {abi::sysreg(3, 0, 0, 4, 0), cpu.csv2 << 56 | 0x11}};
        CHECK(guest.call(smccc::arch_features, smccc::workaround_1) == cpu.first);
        CHECK(guest.call(smccc::arch_features, smccc::workaround_2) == cpu.second);
        CHECK(guest.call(smccc::arch_features, smccc::workaround_3) == cpu.third);
        // What may be called does nothing; what may not does not exist.
        CHECK(guest.call(smccc::workaround_1) == (cpu.first == 1 ? 0 : -1));
        CHECK(guest.call(smccc::workaround_2) == -1);
        CHECK(guest.call(smccc::workaround_3) == (cpu.third == 1 ? 0 : -1));
    }
}

TEST_CASE("TRNG is served to who has the key, where the CPU has a source", "[trng]") {
    Guest guest;
    for (uint32_t function : {trng::version, trng::features, trng::get_uuid, trng::rnd32, trng::rnd64}) {
        INFO(std::hex << function);
        CHECK(is_trng(function));
        guest.ticker.extras.trng = false;
        CHECK(guest.trng(function, 32).status == trng::not_supported);
        guest.ticker.extras.trng = true;
        guest.port.features = 0;
        CHECK(guest.trng(function, 32).status == trng::not_supported);
        guest.port.features = ~0ull;
        CHECK(guest.trng(trng::features, function).status == trng::success);
    }
    for (uint32_t function : {0x8400'0054u, 0x8400'005fu, 0xc400'0050u, 0xc400'0052u}) {
        INFO(std::hex << function);
        CHECK(is_trng(function));
        CHECK(guest.trng(function).status == trng::not_supported);
        CHECK(guest.trng(trng::features, function).status == trng::not_supported);
    }
    CHECK(guest.trng(trng::features, psci::version).status == trng::not_supported);
    CHECK(guest.trng(trng::version).status == 0x1'0000);
    CHECK(guest.trng(0xffff'ffff'0000'0000 | trng::version).status == 0x1'0000); // the identifier is W0
    CHECK(guest.trng(trng::get_uuid).status != trng::not_supported);
    CHECK((guest.trng(trng::get_uuid).x3 != 0 && guest.trng(trng::get_uuid).status >> 32 == 0));
    CHECK_FALSE(is_trng(psci::version));
    CHECK_FALSE(is_trng(0x8400'0060));
}

TEST_CASE("as many random bits as were asked for, the others zero", "[trng]") {
    Guest guest;
    guest.ticker.extras.trng = true;
    guest.port.cpu_entropy = true;
    guest.port.entropy_words = ~0ull - 1; // the next word is all ones, then come 0, 1, ...
    SECTION("no bit, or more than there is room for") {
        for (uint64_t bits : {0ul, 97ul, 192ul, 0xffff'fffful}) {
            CHECK(guest.trng(trng::rnd32, bits).status == trng::invalid_parameters);
        }
        for (uint64_t bits : {0ul, 193ul, ~0ul}) { CHECK(guest.trng(trng::rnd64, bits).status == trng::invalid_parameters); }
        CHECK(guest.port.entropy_words == ~0ull - 1); // nothing was wasted
    }
    SECTION("32-bit") {
        auto answer = guest.trng(trng::rnd32, 1);
        CHECK((answer.status == 0 && answer.x1 == 0 && answer.x2 == 0 && answer.x3 == 1));
        guest.port.entropy_words = ~0ull - 1;
        answer = guest.trng(trng::rnd32, 0xffff'ffff'0000'0021); // W1: 33
        CHECK((answer.status == 0 && answer.x1 == 0 && answer.x2 == 1 && answer.x3 == 0xffff'ffff));
        guest.port.entropy_words = ~0ull - 2;
        answer = guest.trng(trng::rnd32, 96);
        CHECK((answer.status == 0 && answer.x1 == 0xffff'ffff && answer.x2 == 0xffff'ffff && answer.x3 == 0xffff'fffe));
    }
    SECTION("64-bit") {
        auto answer = guest.trng(trng::rnd64, 63);
        CHECK((answer.status == 0 && answer.x1 == 0 && answer.x2 == 0 && answer.x3 == ~0ull >> 1));
        guest.port.entropy_words = ~0ull - 3;
        answer = guest.trng(trng::rnd64, 192);
        CHECK((answer.status == 0 && answer.x3 == ~0ull - 2 && answer.x2 == ~0ull - 1 && answer.x1 == ~0ull));
        guest.port.entropy_words = ~0ull - 2;
        answer = guest.trng(trng::rnd64, 65);
        CHECK((answer.status == 0 && answer.x3 == ~0ull - 1 && answer.x2 == 1 && answer.x1 == 0));
    }
    SECTION("the source has none ready") {
        guest.port.cpu_entropy = false;
        const auto answer = guest.trng(trng::rnd64, 64);
        CHECK((answer.status == trng::no_entropy && answer.x1 == 0 && answer.x2 == 0 && answer.x3 == 0));
        CHECK(guest.trng(trng::rnd32, 32).status == trng::no_entropy);
    }
}

} // namespace test
