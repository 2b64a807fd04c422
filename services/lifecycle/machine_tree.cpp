// SPDX-License-Identifier: MIT
// Walks a flattened device tree (Devicetree Specification 0.4, chapter 5) that may be damaged, cut off, or none.
#include "services/lifecycle/machine_tree.hpp"
#include <string_view>

namespace lifecycle {
namespace {

constexpr uint32_t magic = 0xd00d'feed;
constexpr size_t page_size = 4096, header_size = 40;
enum : uint32_t { begin_node = 1, end_node = 2, property = 3, nop = 4 };

/// Reads within bounds only.
class Bytes {
public:
    explicit Bytes(std::span<uint8_t> bytes) : bytes_(bytes) {}

    /// Words lie at multiples of their size; 0: there is none.
    uint32_t word(size_t at) const {
        using Word [[gnu::may_alias]] = uint32_t;
        if (at % 4 != 0 || at / 4 >= bytes_.size() / 4) { return 0; }
        return __builtin_bswap32(reinterpret_cast<Word const*>(bytes_.data())[at / 4]);
    }
    /// Where a text ends that begins here, with the NULs that fill its last word.
    size_t behind_text(size_t at) const {
        while ((word(at) & 0xff) != 0) { at += 4; }
        return at + 4;
    }
    /// A text ends with NUL.
    bool is(size_t at, std::string_view text) const {
        if (at > bytes_.size() || bytes_.size() - at <= text.size()) { return false; }
        for (size_t n = 0; n < text.size(); ++n) {
            if (bytes_[at + n] != text[n]) { return false; }
        }
        return bytes_[at + text.size()] == 0;
    }
    std::span<uint8_t> part(size_t at, size_t size) const {
        if (at > bytes_.size() || size > bytes_.size() - at) { return {}; }
        return bytes_.subspan(at, size);
    }

private:
    std::span<uint8_t> bytes_;
};

void take(std::span<uint8_t> value, service::Random& random) {
    random.seed(value);
    std::ranges::fill(value, uint8_t{0});
}

void walk(Bytes const& tree, size_t at, size_t strings, service::Random& random) {
    unsigned depth = 0;
    bool chosen = false;
    for (;;) {
        const uint32_t token = tree.word(at);
        at += 4;
        if (token == property) {
            const size_t size = tree.word(at), name = strings + tree.word(at + 4);
            if (chosen && (tree.is(name, "rng-seed") || tree.is(name, "kaslr-seed"))) { take(tree.part(at + 8, size), random); }
            at += 8 + ((size + 3) & ~size_t{3});
        } else if (token == begin_node) {
            chosen = ++depth == 2 && tree.is(at, "chosen");
            at = tree.behind_text(at);
        } else if (token == end_node && depth > 0) {
            chosen = false;
            --depth;
        } else if (token != nop) {
            return;
        }
    }
}

} // namespace

void take_seeds(std::span<uint8_t> pages, service::Random& random) {
    for (size_t start = 0; start < page_size; start += 8) {
        if (start > pages.size()) { return; }
        const Bytes tree(pages.subspan(start));
        const uint32_t structure = tree.word(8), strings = tree.word(12);
        if (tree.word(0) != magic || strings == 0 || structure < header_size) { continue; }
        walk(tree, structure, strings, random);
        return;
    }
}

} // namespace lifecycle
