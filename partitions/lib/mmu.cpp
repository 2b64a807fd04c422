// SPDX-License-Identifier: MIT
// Owns the identity map: 39-bit addresses, 1 GiB blocks at level 1, 2 MiB blocks at level 2.

#include "mmu.h"

namespace guest {

namespace {

constexpr uint64_t gib = 1ull << 30;
constexpr uint64_t block = 2ull << 20;
constexpr unsigned entries = 512;

constexpr uint64_t table_descriptor = 0b11;
constexpr uint64_t block_descriptor = 0b01;
constexpr uint64_t access_flag = 1ull << 10;
constexpr uint64_t inner_shareable = 3ull << 8;
constexpr uint64_t never_execute = 3ull << 53;
constexpr uint64_t device = block_descriptor | access_flag | never_execute; // attribute 0
constexpr uint64_t normal = block_descriptor | access_flag | inner_shareable | 1ull << 2;

struct alignas(4096) Table {
    uint64_t entry[entries];
};

constexpr unsigned spare_tables = 2; // RAM's first and last GiB
constinit Table level2[spare_tables];
constinit unsigned level2_used;

} // namespace

extern "C" {
constinit Table mmu_level1;
}

namespace {

/// The level-2 table of a GiB; what a block covered before stays covered. Null when none is left.
Table* split(uint64_t base) {
    uint64_t& entry = mmu_level1.entry[base / gib];
    if ((entry & 0b11) == table_descriptor) return reinterpret_cast<Table*>(entry & ~0xfffull);
    if (level2_used == spare_tables) return nullptr;
    Table* table = &level2[level2_used++];
    for (unsigned i = 0; i < entries; ++i) table->entry[i] = entry ? entry + i * block : 0;
    entry = reinterpret_cast<uint64_t>(table) | table_descriptor;
    return table;
}

} // namespace

void mmu_map_device(const Range& range) {
    if (range.size == 0) return;
    for (uint64_t at = range.base & ~(gib - 1); at < range.base + range.size; at += gib)
        if (at / gib < entries) mmu_level1.entry[at / gib] = at | device;
}

void mmu_map_ram(const Range& range) {
    uint64_t at = (range.base + block - 1) & ~(block - 1);
    uint64_t end = (range.base + range.size) & ~(block - 1);
    while (at < end && at / gib < entries) {
        if (at % gib == 0 && end - at >= gib) {
            mmu_level1.entry[at / gib] = at | normal;
            at += gib;
            continue;
        }
        if (Table* table = split(at)) table->entry[at % gib / block] = at | normal;
        at += block;
    }
}

} // namespace guest
