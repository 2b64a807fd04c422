// SPDX-License-Identifier: MIT
// The physical pages that the boot table gives the core: handed out once, at boot, never returned.
#pragma once
#include "lib/types.hpp"

namespace bulkhead {

/// Zeroes one page through EL2's own mapping.
void zero_page(PhysAddr page);
/// Writes a page's cache lines back to memory and drops them, so that an observer without caches
/// sees the same.
void clean_page(PhysAddr page);

class CorePool {
public:
    void init(PhysAddr base, uint64_t size) { next_ = base, left_ = size / page_size; }
    /// Contiguous zeroed pages; no_memory when used up. Works with the MMU off as well.
    Result<PhysAddr> take(uint64_t pages);
    uint64_t left() const { return left_; }

private:
    PhysAddr next_;
    uint64_t left_ = 0;
};

extern CorePool core_pool;

} // namespace bulkhead
