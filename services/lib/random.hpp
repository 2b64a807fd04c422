// SPDX-License-Identifier: MIT
// Random bytes out of a seed: ChaCha20 (RFC 8439) with a key that is replaced at every use, so that what was given out cannot be
// found again in what is left.
#pragma once
#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>

namespace service {

class Random {
public:
    /// Stirs bytes into the key. They may be known to everybody: nothing is lost by that.
    void absorb(uint64_t word) { absorb(std::bit_cast<std::array<uint8_t, sizeof(word)>>(word)); }
    void absorb(std::span<const uint8_t> bytes) {
        while (!bytes.empty()) {
            const auto part = bytes.first(std::min(bytes.size(), key_bytes));
            for (size_t n = 0; n < part.size(); ++n) { key_[n / 4] ^= uint32_t{part[n]} << 8 * (n % 4); }
            key_[7] ^= static_cast<uint32_t>(part.size()) << 24 ^ 1; // "ab" is not "a" and then "b"
            uint32_t unused[8];
            next_block(unused);
            bytes = bytes.subspan(part.size());
        }
    }
    /// The same of what nobody can guess.
    void seed(uint64_t word) { seed(std::bit_cast<std::array<uint8_t, sizeof(word)>>(word)); }
    void seed(std::span<const uint8_t> bytes) {
        absorb(bytes);
        seeded_ = seeded_ || !bytes.empty();
    }
    /// False: what fill() gives can be guessed.
    bool seeded() const { return seeded_; }

    void fill(std::span<uint8_t> bytes) {
        while (!bytes.empty()) {
            uint32_t out[8];
            next_block(out);
            const auto part = bytes.first(std::min(bytes.size(), key_bytes));
            for (size_t n = 0; n < part.size(); ++n) { part[n] = static_cast<uint8_t>(out[n / 4] >> 8 * (n % 4)); }
            bytes = bytes.subspan(part.size());
        }
    }

    /// ChaCha20's block function, the nonce being zero.
    static void block(uint32_t const* key, uint32_t counter, uint32_t* out) {
        const uint32_t input[16] = {0x6170'7865, 0x3320'646e, 0x7962'2d32, 0x6b20'6574, key[0], key[1], key[2],
                                    key[3],      key[4],      key[5],      key[6],      key[7], counter};
        uint32_t x[16]; // in registers: every index is a constant
        std::copy_n(input, 16, x);
        for (unsigned rounds = 0; rounds < 20; rounds += 2) {
            quarter(x[0], x[4], x[8], x[12]); // columns
            quarter(x[1], x[5], x[9], x[13]);
            quarter(x[2], x[6], x[10], x[14]);
            quarter(x[3], x[7], x[11], x[15]);
            quarter(x[0], x[5], x[10], x[15]); // diagonals
            quarter(x[1], x[6], x[11], x[12]);
            quarter(x[2], x[7], x[8], x[13]);
            quarter(x[3], x[4], x[9], x[14]);
        }
        for (unsigned n = 0; n < 16; ++n) { out[n] = x[n] + input[n]; }
    }

private:
    static constexpr size_t key_bytes = 32;

    static void quarter(uint32_t& a, uint32_t& b, uint32_t& c, uint32_t& d) {
        d = std::rotl(d ^ (a += b), 16);
        b = std::rotl(b ^ (c += d), 12);
        d = std::rotl(d ^ (a += b), 8);
        b = std::rotl(b ^ (c += d), 7);
    }
    /// Half of a block is the next key, the other half is given out.
    void next_block(uint32_t* given) {
        uint32_t out[16];
        block(key_, 0, out);
        std::copy_n(out, 8, key_);
        std::copy_n(out + 8, 8, given);
    }

    uint32_t key_[8] = {};
    bool seeded_ = false;
};

} // namespace service
