// SPDX-License-Identifier: MIT
// The parts of the service library that touch no hardware: text, log lines, rings, the environment.
#include "services/lib/environment.hpp"
#include "services/lib/log.hpp"
#include <catch2/catch.hpp>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

using namespace service;

[[noreturn]] void service::missing(std::string_view name) { throw std::runtime_error("missing " + std::string(name)); }

TEST_CASE("names of the environment are made from patterns", "[lib]") {
    CHECK(Name("client.%u.tx", 3).view() == "client.3.tx");
    CHECK(Name("client.%u.vcpu.%u", 10, 0).view() == "client.10.vcpu.0");
    CHECK(Name("a.%u.%u", 1).view() == "a.1.%u");
    CHECK(Name("0123456789012345678901234567890123456789%u", 1).cut());
}

TEST_CASE("a log line is logfmt", "[lib]") {
    CHECK(format_log_line(12'000'345, "uart", "x.y", {{"n", 5u}, {"a", Hex{0x80}}}).view() == "[12.000345] uart: x.y n=5 a=0x80");
    CHECK(format_log_line(0, "s", "e", {{"t", "two words"}, {"q", "a\"b\\"}, {"none", ""}}).view() ==
          "[0.000000] s: e t=\"two words\" q=\"a\\\"b\\\\\" none=\"\"");
    CHECK(format_log_line(7, "s", "e", {{"h", Hex{0}}, {"l", "a\nb"}}).view() == "[0.000007] s: e h=0x0 l=\"a\\nb\"");
}

TEST_CASE("a ring carries bytes, wraps, and wakes a consumer that had all", "[lib][ring]") {
    std::vector<uint64_t> memory(4096 / 8);
    RingProducer producer(memory.data(), 4096);
    RingConsumer consumer(memory.data(), 4096);
    CHECK(producer.capacity() == 2048);
    auto* header = reinterpret_cast<abi::RingHeader*>(memory.data());
    header->head = header->tail = 0xffff'fc00; // both positions wrap too
    std::vector<uint8_t> bytes(2000, 7);
    Wake wake;
    REQUIRE(producer.write(bytes, wake));
    CHECK(wake == Wake::yes);
    CHECK(producer.free() == 48);
    CHECK_FALSE(producer.write(std::vector<uint8_t>(49), wake));
    REQUIRE(producer.write(std::vector<uint8_t>(48, 8), wake));
    CHECK(wake == Wake::no);
    std::vector<uint8_t> got;
    while (!consumer.empty()) {
        auto const piece = consumer.peek();
        got.insert(got.end(), piece.begin(), piece.end());
        consumer.consume(static_cast<uint32_t>(piece.size()));
    }
    bytes.insert(bytes.end(), 48, 8);
    CHECK(got == bytes);
}

TEST_CASE("a ring's positions are not believed beyond its capacity", "[lib][ring]") {
    std::vector<uint64_t> memory(4096 / 8);
    RingConsumer consumer(memory.data(), 4096);
    RingProducer producer(memory.data(), 4096);
    auto* header = reinterpret_cast<abi::RingHeader*>(memory.data());
    header->head = 1'000'000;
    CHECK(consumer.used() == 2048);
    CHECK(consumer.peek().size() == 2048);
    CHECK(producer.free() == 0);
}

TEST_CASE("the environment is searched by name and kind", "[lib]") {
    struct {
        abi::EnvironmentHeader header;
        abi::EnvironmentEntry entries[3];
        char text[8];
    } page{};
    page.header = {abi::environment_magic, abi::abi_version, 3, 4096, {}};
    auto fill = [&](unsigned i, char const* name, abi::EntryKind kind, uint64_t value, uint64_t size) {
        std::strcpy(page.entries[i].name, name);
        page.entries[i].kind = kind;
        page.entries[i].value = value;
        page.entries[i].size = size;
    };
    fill(0, "clients", abi::EntryKind::property, 2, 0);
    fill(1, "console.notify", abi::EntryKind::handle, 9, 5);
    fill(2, "name", abi::EntryKind::string, offsetof(decltype(page), text), 4);
    std::strcpy(page.text, "uart");
    Environment const environment(&page.header);
    CHECK(environment.property("clients") == 2);
    CHECK(environment.handle("console.notify") == 9);
    CHECK(environment.string("name") == "uart");
    CHECK(environment.property_or("name", 5) == 5); // of another kind
    CHECK_FALSE(environment.has("log"));
    CHECK_THROWS_WITH(environment.handle("clients"), "missing clients");
}

TEST_CASE("entries of one beginning are searched by the rest of their names", "[lib]") {
    struct {
        abi::EnvironmentHeader header;
        abi::EnvironmentEntry entries[8];
    } page{};
    page.header = {abi::environment_magic, abi::abi_version, 8, 4096, {}};
    char const* const names[] = {"a", "vm.1", "vm.1.", "vm.1.ram", "vm.1.ram.size", "vm.10.ram", "vm.2.ram", "vn"};
    for (unsigned n = 0; n < 8; ++n) {
        std::strcpy(page.entries[n].name, names[n]);
        page.entries[n].kind = abi::EntryKind::property;
        page.entries[n].value = n;
    }
    Environment const environment(&page.header);
    for (unsigned n = 0; n < 8; ++n) { CHECK(environment.property(names[n]) == n); }
    for (unsigned n = 8; n-- > 0;) { CHECK(environment.property(names[n]) == n); } // not in their order
    for (char const* absent : {"", "b", "vm", "vm.", "vm.1.r", "vm.1.ram.", "vm.3", "w"}) { CHECK_FALSE(environment.has(absent)); }
    auto const vm = environment.within(Name("vm.%u.", 1));
    CHECK(vm.property("") == 2);
    CHECK(vm.property("ram") == 3);
    CHECK(vm.property("ram.size") == 4);
    CHECK_FALSE(vm.has("vm.1.ram"));
    CHECK_FALSE(vm.has("0.ram"));
    CHECK_THROWS_WITH(vm.property("entry"), "missing vm.1.entry");
    CHECK(vm.within("ram.").property("size") == 4);
    CHECK_THROWS_WITH(vm.within("ram.").property("base"), "missing vm.1.ram.base");
    CHECK_THROWS_WITH(environment.within("vm.4.").property("ram"), "missing vm.4.ram");
    CHECK(environment.within("vm.10.").property("ram") == 5);
    CHECK_FALSE(environment.within("vn.").has("n"));
}
