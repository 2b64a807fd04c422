// SPDX-License-Identifier: MIT
// A partition's stage-2 tables: three levels of 4 KiB tables, blocks where they fit, device pages
// as invalid descriptors.
#pragma once
#include "cap/object.hpp"
#include "hw.hpp"
#include "mm/pool.hpp"

namespace bulkhead {

/// What an invalid descriptor says when it stands for a page of an emulated device.
/// Bits: 0 zero; 1 one (marks a device page); 2..31 endpoint; 32..63 badge.
struct DevicePage {
    uint64_t bits = 0;
    static constexpr DevicePage make(ObjectRef endpoint, uint32_t badge) {
        return {2u | static_cast<uint64_t>(endpoint.bits) << 2 | static_cast<uint64_t>(badge) << 32};
    }
    constexpr bool is_device() const { return bits & 2 && !(bits & 1); }
    constexpr ObjectRef endpoint() const { return {static_cast<uint32_t>(bits) >> 2}; }
    constexpr uint32_t badge() const { return static_cast<uint32_t>(bits >> 32); }
};

/// Whole pages that stage 2 can map.
constexpr bool in_range(GuestAddr ipa, uint64_t size) {
    return page_aligned(ipa.value | size) && ipa.value < ipa_limit && size <= ipa_limit - ipa.value;
}

/// Changed only under `mutation` (or by the boot).
class Stage2 {
public:
    void init(PhysAddr root, uint16_t vmid) { root_ = root, vmid_ = vmid; }
    /// For tables: zeroed pages.
    PagePool& pool() { return pool_; }
    uint16_t vmid() const { return vmid_; }
    uint64_t vttbr() const { return root_.value | static_cast<uint64_t>(vmid_) << 48; }

    /// One bounded step of mapping [ipa, ipa+size) to pa: returns the bytes done, fewer than asked
    /// (none, when a table was made); call again with the rest. bad_argument: not pages or beyond
    /// ipa_limit; overlap, no_memory.
    Result<uint64_t> map(GuestAddr ipa, PhysAddr pa, uint64_t size, uint64_t access, abi::MemoryType type);
    /// One bounded step of unmapping what was mapped whole: break before make, TLBs by VMID and
    /// IPA; returns the bytes done.
    uint64_t unmap(GuestAddr ipa, uint64_t size);
    /// One bounded step: empty pages become a device's (those that are already so stay), or, with
    /// page.bits == 0, a device's become empty. Returns the pages done. overlap: anything else is
    /// there.
    Result<uint64_t> set_device(GuestAddr ipa, uint64_t pages, DevicePage page);
    /// Takes every translation of this VMID out of all TLBs, and what was fetched through them.
    void invalidate() const;

    /// The descriptor that translates ipa, or zero. No lock.
    uint64_t descriptor(GuestAddr ipa) const { return ipa.value < ipa_limit ? find(ipa).entry : 0; }

private:
    static constexpr uint64_t table = 3; ///< bits 0..1 of a descriptor at level 1 and 2; of a page at level 3
    static constexpr uint64_t address_mask = 0xffff'ffff'f000;
    /// The deepest entry that exists for an address; it covers `span` bytes.
    struct Place {
        PhysAddr table;
        uint64_t index;
        uint64_t span;
        uint64_t entry;
        bool last_level() const { return span == page_size; }
    };

    static uint64_t load(PhysAddr entry) { return __atomic_load_n(hw::pointer<uint64_t>(entry), __ATOMIC_RELAXED); }
    static PhysAddr next(uint64_t entry) { return {entry & address_mask}; }
    Place find(GuestAddr ipa) const;
    Result<uint64_t> add_table(const Place& place);

    PhysAddr root_;
    uint16_t vmid_ = 0;
    PagePool pool_;
};

} // namespace bulkhead
