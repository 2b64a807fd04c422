// SPDX-License-Identifier: MIT
// A partition's stage-2 tables: three levels of 4 KiB tables, blocks where they fit, device pages as invalid descriptors.
#pragma once
#include "cap/object.hpp"
#include "lib/types.hpp"

namespace bulkhead {

/// What an invalid descriptor says when it stands for a page of an emulated device.
/// Bits: 0 zero; 1 one (marks a device page); 2..16 endpoint index; 17..31 its generation; 32..63 badge.
struct DevicePage {
    uint64_t bits = 0;
    static constexpr DevicePage make(ObjectRef endpoint, uint32_t badge) {
        return {2u | static_cast<uint64_t>(endpoint.index) << 2 | static_cast<uint64_t>(endpoint.generation) << 17 |
                static_cast<uint64_t>(badge) << 32};
    }
    constexpr bool is_device() const { return (bits & 3) == 2; }
    constexpr ObjectRef endpoint() const {
        return {static_cast<uint16_t>(bits >> 2 & 0x7fff), static_cast<uint16_t>(bits >> 17 & 0x7fff)};
    }
    constexpr uint32_t badge() const { return static_cast<uint32_t>(bits >> 32); }
};

/// Pages that a partition's creator gave for its tables; never returned before the partition goes.
class TablePool {
  public:
    void init(PhysAddr base, uint64_t pages) { next_ = base, left_ = pages; }
    Result<PhysAddr> take(); ///< zeroed; no_memory when used up
    uint64_t left() const { return left_; }

  private:
    PhysAddr next_;
    uint64_t left_ = 0;
};

class Stage2 {
  public:
    void init(PhysAddr root, uint16_t vmid) { root_ = root, vmid_ = vmid; }
    TablePool& pool() { return pool_; }
    uint16_t vmid() const { return vmid_; }
    PhysAddr root() const { return root_; }
    uint64_t vttbr() const { return root_.value | static_cast<uint64_t>(vmid_) << 48; }

    /// Maps [ipa, ipa+size) to pa in bounded steps: returns the bytes done, which may be fewer than asked when a table or
    /// many entries were needed; call again with the rest. The range must be unmapped (overlap), pages, below ipa_limit.
    Result<uint64_t> map(GuestAddr ipa, PhysAddr pa, uint64_t size, uint64_t access, abi::MemoryType type);
    /// Unmaps likewise in bounded steps, break before make, TLBs by VMID and IPA; returns the bytes done.
    uint64_t unmap(GuestAddr ipa, uint64_t size);
    /// Marks pages as a device's, or (page.bits == 0) empties them. The pages must be unmapped: overlap.
    Result<uint64_t> set_device(GuestAddr ipa, uint64_t pages, DevicePage page);
    /// True if nothing (no memory, no device page) is mapped in the range. Bounded by the tables that exist.
    bool is_free(GuestAddr ipa, uint64_t size) const;
    /// The descriptor that translates ipa, or zero. No lock: used on the way from a guest's access to its service.
    uint64_t descriptor(GuestAddr ipa) const;

  private:
    PhysAddr root_;
    uint16_t vmid_ = 0;
    TablePool pool_;
};

} // namespace bulkhead
