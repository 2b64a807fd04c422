// SPDX-License-Identifier: MIT
// Seeds: taken out of the machine's device tree, whatever that is, and given to each VM afresh.
#include "services/lifecycle/machine_tree.hpp"
#include "test/unit/services/lifecycle_fake.hpp"
#include <catch2/catch.hpp>
#include <set>

namespace test {
namespace {

using Bytes = std::vector<uint8_t>;

/// A device tree, written token by token.
struct Tree {
    Bytes structure, strings;

    void word(uint32_t value) {
        for (int shift = 24; shift >= 0; shift -= 8) { structure.push_back(static_cast<uint8_t>(value >> shift)); }
    }
    void text(std::string const& value) {
        structure.insert(structure.end(), value.begin(), value.end());
        do { structure.push_back(0); } while (structure.size() % 4 != 0);
    }
    void begin(std::string const& name) {
        word(1);
        text(name);
    }
    void end() { word(2); }
    void property(std::string const& name, Bytes const& value) {
        word(3);
        word(static_cast<uint32_t>(value.size()));
        word(static_cast<uint32_t>(strings.size()));
        strings.insert(strings.end(), name.begin(), name.end());
        strings.push_back(0);
        structure.insert(structure.end(), value.begin(), value.end());
        while (structure.size() % 4 != 0) { structure.push_back(0); }
    }
    /// In pages, `offset` behind their beginning.
    Bytes pages(size_t offset = 0) {
        word(9);
        Tree header;
        const auto size = static_cast<uint32_t>(structure.size());
        for (const uint32_t value : {0xd00d'feedu, 40 + size, 40u, 40 + size, 0u, 17u, 16u, 0u, 0u, size}) { header.word(value); }
        Bytes out(offset);
        for (auto const* part : {&header.structure, &structure, &strings}) { out.insert(out.end(), part->begin(), part->end()); }
        out.resize(2 * 4096);
        return out;
    }
};

Tree machine_with_seed() {
    Tree tree;
    tree.begin("");
    tree.property("rng-seed", {1, 1, 1, 1}); // not where a loader puts it
    tree.begin("cpus");
    tree.begin("chosen"); // nor this one
    tree.property("rng-seed", {2, 2, 2, 2});
    tree.end();
    tree.end();
    tree.word(4);
    tree.begin("chosen");
    tree.property("stdout-path", {'u', 0});
    tree.property("rng-seed", {3, 4, 5, 6, 7});
    tree.property("kaslr-seed", {8, 9});
    tree.end();
    tree.end();
    return tree;
}

/// What the VM's two properties hold after a start; the tree is at 0x20'0000 of its RAM.
Bytes seeds_of_start(Machine& machine) {
    machine.run(machine.ticker);
    auto const& ram = machine.port.memory[machine.ticker.ram];
    Bytes out(ram.begin() + 0x20'0100, ram.begin() + 0x20'0100 + 64);
    machine.vms.change(machine.ticker, Task::stop, Cause::user);
    return out;
}

struct SeedMachine : Machine {
    SeedMachine() {
        ticker.used = true; // so that what is not a seed is zero
        ticker.seed_count = 2;
        ticker.seeds[0] = {guest_dtb + 0x100, 8};
        ticker.seeds[1] = {guest_dtb + 0x120, 10}; // ends in the middle of a word
    }
};

} // namespace

TEST_CASE("the loader's seeds are taken, and erased", "[seeds]") {
    const auto offset = GENERATE(size_t{0}, size_t{0x208});
    auto pages = machine_with_seed().pages(offset);
    service::Random random, like;
    lifecycle::take_seeds(pages, random);
    CHECK(random.seeded());
    like.seed(Bytes{3, 4, 5, 6, 7});
    like.seed(Bytes{8, 9});
    Bytes given(32), expected(32);
    random.fill(given);
    like.fill(expected);
    CHECK(given == expected);
    service::Random again;
    lifecycle::take_seeds(pages, again);
    CHECK(std::ranges::search(pages, Bytes{3, 4, 5}).empty());
    CHECK_FALSE(std::ranges::search(pages, Bytes{2, 2, 2, 2}).empty());
}

TEST_CASE("a tree without seeds, and no tree, give none", "[seeds]") {
    Tree tree;
    tree.begin("");
    tree.begin("chosen");
    tree.property("rng-seed", {});
    tree.end();
    tree.end();
    auto without = tree.pages();
    Bytes none(2 * 4096, 0x5a), nothing;
    service::Random random;
    for (auto* pages : {&without, &none, &nothing}) { lifecycle::take_seeds(*pages, random); }
    CHECK_FALSE(random.seeded());
}

TEST_CASE("a damaged tree does no harm", "[seeds]") {
    auto const whole = machine_with_seed().pages();
    for (size_t size = 0; size < 400; ++size) { // cut off anywhere
        Bytes cut(whole.begin(), whole.begin() + static_cast<long>(size));
        service::Random random;
        lifecycle::take_seeds(cut, random);
    }
    for (size_t at = 8; at < 400; ++at) { // one byte wrong
        auto damaged = whole;
        damaged[at] ^= 0xff;
        service::Random random;
        lifecycle::take_seeds(damaged, random);
    }
}

TEST_CASE("each start of a VM gets other seeds", "[seeds]") {
    SeedMachine machine;
    machine.system.random.seed(Bytes{1, 2, 3});
    std::set<Bytes> found;
    for (unsigned n = 0; n < 10; ++n) {
        const auto bytes = seeds_of_start(machine);
        CHECK(Bytes(bytes.begin(), bytes.begin() + 12) == Bytes(12)); // token, length and name are the packer's
        found.insert(Bytes(bytes.begin() + 12, bytes.begin() + 20));
        found.insert(Bytes(bytes.begin() + 0x2c, bytes.begin() + 0x36));
        CHECK(Bytes(bytes.begin() + 0x36, bytes.end()) == Bytes(10));
    }
    CHECK(found.size() == 20);
}

TEST_CASE("the CPU's entropy is a seed, too", "[seeds]") {
    SeedMachine machine;
    machine.port.cpu_entropy = true;
    seeds_of_start(machine);
    CHECK(machine.system.random.seeded());
    const auto words = machine.port.entropy_words;
    CHECK(words > 0);
    seeds_of_start(machine);
    CHECK(machine.port.entropy_words > words);
}

TEST_CASE("without a source a VM is told no seed", "[seeds]") {
    SeedMachine machine;
    const auto bytes = seeds_of_start(machine);
    for (const size_t at : {0, 4, 16, 0x20, 0x2c, 0x34}) {
        CHECK(Bytes(bytes.begin() + static_cast<long>(at), bytes.begin() + static_cast<long>(at) + 4) == Bytes{0, 0, 0, 4});
    }
    CHECK(bytes[20] == 0);
    CHECK(bytes[0x38] == 0);
}

} // namespace test
