// SPDX-License-Identifier: MIT
// Random bytes: the cipher is the one of RFC 8439, and what comes out depends on all that went in.
#include "services/lib/random.hpp"
#include <catch2/catch.hpp>
#include <set>
#include <vector>

using service::Random;

namespace {

using Bytes = std::vector<uint8_t>;

Bytes take(Random& random, size_t size) {
    Bytes out(size);
    random.fill(out);
    return out;
}

} // namespace

TEST_CASE("the block function is ChaCha20's", "[random]") {
    // RFC 8439, appendix A.1, test vectors 1 and 3: the first and the last word of the key stream.
    uint32_t key[8] = {}, out[16];
    Random::block(key, 0, out);
    CHECK(out[0] == 0xade0'b876);
    CHECK(out[1] == 0x903d'f1a0);
    CHECK(out[15] == 0x8665'eeb2);
    key[7] = 0x0100'0000;
    Random::block(key, 1, out);
    CHECK(out[0] == 0x2452'eb3a);
    CHECK(out[15] == 0xa013'6c00);
}

TEST_CASE("every byte absorbed counts, and so does where it ends", "[random]") {
    std::set<Bytes> found;
    const std::vector<Bytes> inputs = {{}, {0}, {0, 0}, {1}, {0, 1}, Bytes(32), Bytes(33), Bytes(64)};
    for (auto const& input : inputs) {
        Random random;
        random.absorb(input);
        found.insert(take(random, 32));
    }
    CHECK(found.size() == inputs.size());
    Random once, twice;
    once.absorb(Bytes{'a', 'b'});
    twice.absorb(Bytes{'a'});
    twice.absorb(Bytes{'b'});
    CHECK(take(once, 32) != take(twice, 32));
}

TEST_CASE("nothing is given out twice", "[random]") {
    Random random;
    std::set<Bytes> found;
    for (unsigned n = 0; n < 1000; ++n) { found.insert(take(random, 8)); }
    CHECK(found.size() == 1000);
    const auto bytes = take(random, 100); // more than a block gives
    CHECK(Bytes(bytes.begin(), bytes.begin() + 32) != Bytes(bytes.begin() + 32, bytes.begin() + 64));
}

TEST_CASE("only a seed makes it unguessable", "[random]") {
    Random random;
    random.absorb(42);
    CHECK_FALSE(random.seeded());
    random.seed(Bytes{});
    CHECK_FALSE(random.seeded());
    random.seed(7);
    CHECK(random.seeded());
}
