// SPDX-License-Identifier: MIT
// Owns reading a flattened device tree (Devicetree Specification 0.3, chapter 5).

#include "fdt.h"

namespace guest {

namespace {

enum Token : uint32_t { begin_node = 1, end_node = 2, prop = 3, nop = 4 };

uint32_t big_endian(const uint8_t* at) { return uint32_t{at[0]} << 24 | uint32_t{at[1]} << 16 | uint32_t{at[2]} << 8 | at[3]; }

uint32_t text_size(const uint8_t* text) {
    uint32_t size = 1;
    while (text[size - 1]) ++size;
    return size;
}

constexpr uint32_t aligned(uint32_t size) { return (size + 3) & ~3u; }

/// The bytes that the property token at `at` takes.
uint32_t prop_size(const uint8_t* at) { return 12 + aligned(big_endian(at + 4)); }

} // namespace

bool same_text(const char* a, const char* b) {
    while (*a && *a == *b) ++a, ++b;
    return *a == *b;
}

uint32_t Property::cell(uint32_t index) const { return index < cells() ? big_endian(data + 4 * index) : 0; }

uint64_t Property::number(uint32_t index, uint32_t count) const {
    uint64_t value = 0;
    for (uint32_t i = 0; i < count; ++i) value = value << 32 | cell(index + i);
    return value;
}

bool Property::lists(const char* text) const {
    for (uint32_t at = 0; at < size; at += text_size(data + at))
        if (same_text(reinterpret_cast<const char*>(data + at), text)) return true;
    return false;
}

Property FdtNode::property(const char* name) const {
    for (const uint8_t* at = properties_;;) {
        uint32_t token = big_endian(at);
        if (token == nop) {
            at += 4;
        } else if (token == prop) {
            if (same_text(strings_ + big_endian(at + 8), name)) return {at + 12, big_endian(at + 4)};
            at += prop_size(at);
        } else {
            return {};
        }
    }
}

bool FdtNode::enabled() const {
    Property status = property("status");
    return !status || status.lists("okay") || status.lists("ok");
}

Range FdtNode::reg(uint32_t index) const {
    Property reg = property("reg");
    uint32_t at = index * (address_cells_ + size_cells_);
    return {reg.number(at, address_cells_), reg.number(at + address_cells_, size_cells_)};
}

uint32_t FdtNode::intid(uint32_t index) const {
    Property interrupts = property("interrupts");
    if (3 * index + 2 >= interrupts.cells()) return 0;
    bool ppi = interrupts.cell(3 * index) == 1;
    return interrupts.cell(3 * index + 1) + (ppi ? 16 : 32);
}

uint32_t Fdt::header(unsigned word) const { return big_endian(blob_ + 4 * word); }

bool Fdt::valid() const {
    bool placed = blob_ && reinterpret_cast<uintptr_t>(blob_) % 8 == 0;
    return placed && header(0) == 0xd00dfeed && header(6) <= 17;
}

Fdt::Walk Fdt::start() const {
    Walk walk{};
    walk.at = blob_ + header(2);
    walk.end = blob_ + header(1);
    walk.address_cells[0] = 2;
    walk.size_cells[0] = 1;
    return walk;
}

bool Fdt::next(Walk& walk, FdtNode& node) const {
    while (walk.at < walk.end) {
        uint32_t token = big_endian(walk.at);
        if (token == begin_node) break;
        if (token == prop) {
            walk.at += prop_size(walk.at);
        } else if (token == nop || (token == end_node && walk.depth > 0)) {
            walk.depth -= token == end_node;
            walk.at += 4;
        } else {
            return false;
        }
    }
    if (walk.at >= walk.end || walk.depth + 1 >= max_depth) return false;
    walk.at += 4 + aligned(text_size(walk.at + 4));
    node.properties_ = walk.at;
    node.strings_ = reinterpret_cast<const char*>(blob_ + header(3));
    node.address_cells_ = walk.address_cells[walk.depth];
    node.size_cells_ = walk.size_cells[walk.depth];
    ++walk.depth;
    Property address = node.property("#address-cells"), size = node.property("#size-cells");
    walk.address_cells[walk.depth] = address ? address.cell(0) : 2;
    walk.size_cells[walk.depth] = size ? size.cell(0) : 1;
    return true;
}

} // namespace guest
