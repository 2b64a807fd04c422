// SPDX-License-Identifier: MIT
// Owns reading a flattened device tree: one pass over its nodes, properties by name.
#pragma once

#include <cstddef>
#include <cstdint>

namespace guest {

struct Range {
    uint64_t base = 0;
    uint64_t size = 0;
    bool contains(uint64_t address) const { return address >= base && address - base < size; }
};

bool same_text(const char* a, const char* b);

/// A property's bytes; empty (data null) where the node has none of that name.
struct Property {
    const uint8_t* data = nullptr;
    uint32_t size = 0;

    explicit operator bool() const { return data != nullptr; }
    uint32_t cells() const { return size / 4; }
    uint32_t cell(uint32_t index) const;
    /// `count` (0 to 2) cells from `index` as one number.
    uint64_t number(uint32_t index, uint32_t count) const;
    /// True if one string of the list is `text`.
    bool lists(const char* text) const;
};

class FdtNode {
public:
    Property property(const char* name) const;
    bool compatible(const char* text) const { return property("compatible").lists(text); }
    bool is_device_type(const char* text) const { return property("device_type").lists(text); }
    bool enabled() const;
    /// The `index`-th (address, size) pair of `reg`, by the parent's cell counts.
    Range reg(uint32_t index) const;
    /// The INTID of the `index`-th interrupt, in the GIC's three-cell form; 0 if there is none.
    uint32_t intid(uint32_t index) const;

private:
    friend class Fdt;
    const uint8_t* properties_ = nullptr;
    const char* strings_ = nullptr;
    uint32_t address_cells_ = 2;
    uint32_t size_cells_ = 1;
};

class Fdt {
public:
    explicit Fdt(const void* blob) : blob_(static_cast<const uint8_t*>(blob)) {}
    bool valid() const;

    /// Calls `visit(node)` for every node, parents first.
    template <typename Visitor> void for_each_node(Visitor visit) const {
        Walk walk = start();
        FdtNode node;
        while (next(walk, node)) visit(node);
    }

private:
    static constexpr unsigned max_depth = 16;
    struct Walk {
        const uint8_t* at;
        const uint8_t* end;
        unsigned depth;
        uint32_t address_cells[max_depth];
        uint32_t size_cells[max_depth];
    };
    Walk start() const;
    bool next(Walk& walk, FdtNode& node) const;
    uint32_t header(unsigned word) const;

    const uint8_t* blob_;
};

} // namespace guest
