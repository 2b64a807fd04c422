// SPDX-License-Identifier: MIT
// The core's own pages, and what is done to whole pages.
#include "mm/pool.hpp"
#include "hw.hpp"

namespace bulkhead {

CorePool core_pool;

void zero_page(PhysAddr page) {
    constexpr uint64_t chunk = 64; // few enough bytes for the compiler to store them in line
    for (uint64_t offset = 0; offset < page_size; offset += chunk) {
        auto* to = __builtin_assume_aligned(hw::pointer<uint64_t>(page + offset), chunk);
        __builtin_memset(to, 0, chunk);
    }
}

void clean_page(PhysAddr page) {
    constexpr uint64_t line = 64; // of every core that Bulkhead runs on (CTR_EL0.DminLine = 4)
    for (uint64_t offset = 0; offset < page_size; offset += line) { hw::dc_civac(page.value + offset); }
}

Result<PhysAddr> CorePool::take(uint64_t pages) {
    const PhysAddr base = TRY(PagePool::take(pages));
    for (uint64_t n = 0; n < pages; ++n) {
        clean_page(base + n * page_size); // with the MMU off: no old line may be written back over the zeroes
        hw::dsb_sy();
        zero_page(base + n * page_size);
    }
    return base;
}

} // namespace bulkhead
