// SPDX-License-Identifier: MIT
// Pages: pools of them (the core's own from the boot table, a partition's for its tables), and what is done to whole
// ones.
#pragma once
#include "lib/types.hpp"

namespace bulkhead {

/// Pages that are handed out one after the other and never returned.
class PagePool {
public:
    void init(PhysAddr base, uint64_t pages) { next_ = base, left_ = pages; }
    Result<PhysAddr> take(uint64_t pages) {
        if (pages > left_) { return Status::no_memory; }
        left_ -= pages;
        next_ = next_ + pages * page_size;
        return PhysAddr{next_.value - pages * page_size};
    }
    uint64_t left() const { return left_; }

private:
    PhysAddr next_;
    uint64_t left_ = 0;
};

/// Zeroes one page through EL2's own mapping.
void zero_page(PhysAddr page);
/// Writes a page's cache lines back to memory and drops them, so that an observer without caches
/// sees the same.
void clean_page(PhysAddr page);

/// For the boot.
struct CorePool : PagePool {
    /// Contiguous zeroed pages; no_memory when used up. Works with the MMU off as well.
    Result<PhysAddr> take(uint64_t pages);
};

extern CorePool core_pool;

} // namespace bulkhead
