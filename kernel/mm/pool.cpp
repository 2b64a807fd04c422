// SPDX-License-Identifier: MIT
// The core's own pages, and what is done to whole pages.
#include "mm/pool.hpp"
#include "hw.hpp"

namespace bulkhead {

CorePool core_pool;

void zero_page(PhysAddr page) {
    const uint64_t line = hw::zeroed_line();
    for (uint64_t at = page.value, end = at + page_size; at < end;) {
#pragma GCC unroll 2
        for (unsigned n = 0; n < 2; ++n, at += line) { hw::dc_zva(at); }
    }
}

void clean_page(PhysAddr page) {
    constexpr uint64_t line = 64; // of every core that Bulkhead runs on (CTR_EL0.DminLine = 4)
    for (uint64_t offset = 0; offset < page_size; offset += line) { hw::dc_civac(page.value + offset); }
}

/// With the MMU off.
static void zero_in_memory(PhysAddr page) {
    clean_page(page); // no old line may be written back over the zeroes
    hw::dsb_sy();
    __builtin_memset(hw::pointer<void>(page), 0, page_size);
}

Result<PhysAddr> CorePool::take(uint64_t pages) {
    const PhysAddr base = TRY(PagePool::take(pages));
    const bool cached = hw::read<SctlrEl2>().get(SctlrEl2::m);
    for (PhysAddr page = base; page < base + pages * page_size; page = page + page_size) {
        cached ? zero_page(page) : zero_in_memory(page);
    }
    return base;
}

} // namespace bulkhead
