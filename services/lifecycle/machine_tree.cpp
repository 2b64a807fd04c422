// SPDX-License-Identifier: MIT
// Walks a flattened device tree (Devicetree Specification 0.4, chapter 5) that may be damaged, cut off, or none.
#include "services/lifecycle/machine_tree.hpp"
#include <optional>
#include <string_view>

namespace lifecycle {
namespace {

constexpr uint32_t magic = 0xd00d'feed;
constexpr size_t page_size = 4096, header_size = 40, longest_name = 256;
enum : uint32_t { begin_node = 1, end_node = 2, property = 3, nop = 4 };

/// Reads within bounds only.
class Bytes {
public:
    explicit Bytes(std::span<uint8_t> bytes) : bytes_(bytes) {}

    std::optional<uint32_t> word(size_t at) const {
        if (at > bytes_.size() || bytes_.size() - at < 4) { return std::nullopt; }
        return uint32_t{bytes_[at]} << 24 | uint32_t{bytes_[at + 1]} << 16 | uint32_t{bytes_[at + 2]} << 8 | bytes_[at + 3];
    }
    /// A text that ends with NUL; empty if it does not end soon.
    std::string_view text(size_t at) const {
        for (size_t end = at; end < std::min(bytes_.size(), at + longest_name); ++end) {
            if (bytes_[end] == 0) { return {reinterpret_cast<char const*>(&bytes_[at]), end - at}; }
        }
        return {};
    }
    std::span<uint8_t> part(size_t at, size_t size) const {
        if (at > bytes_.size() || size > bytes_.size() - at) { return {}; }
        return bytes_.subspan(at, size);
    }

private:
    std::span<uint8_t> bytes_;
};

void take(std::string_view name, std::span<uint8_t> value, service::Random& random) {
    if (name != "rng-seed" && name != "kaslr-seed") { return; }
    random.seed(value);
    std::ranges::fill(value, uint8_t{0});
}

void walk(Bytes const& tree, size_t at, size_t strings, service::Random& random) {
    unsigned depth = 0;
    bool chosen = false;
    for (;;) {
        const auto token = tree.word(at);
        if (!token) { return; }
        at += 4;
        if (*token == begin_node) {
            const auto name = tree.text(at);
            chosen = ++depth == 2 && name == "chosen";
            at += (name.size() + 4) & ~size_t{3};
        } else if (*token == end_node && depth > 0) {
            chosen = false;
            --depth;
        } else if (*token == property) {
            const auto size = tree.word(at), name = tree.word(at + 4);
            if (!size || !name) { return; }
            if (chosen) { take(tree.text(strings + *name), tree.part(at + 8, *size), random); }
            at += 8 + ((size_t{*size} + 3) & ~size_t{3});
        } else if (*token != nop) {
            return;
        }
    }
}

} // namespace

void take_seeds(std::span<uint8_t> pages, service::Random& random) {
    for (size_t start = 0; start < page_size; start += 8) {
        if (start > pages.size()) { return; }
        const Bytes tree(pages.subspan(start));
        const auto structure = tree.word(8), strings = tree.word(12);
        if (tree.word(0) != magic || !structure || !strings || *structure < header_size) { continue; }
        walk(tree, *structure, *strings, random);
        return;
    }
}

} // namespace lifecycle
