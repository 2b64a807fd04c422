// SPDX-License-Identifier: MIT
// A guest's RAM as a service sees it. Every address in it comes from the guest and is believed only within the RAM.
#pragma once
#include <cstdint>

namespace virtio {

class GuestMemory {
public:
    constexpr GuestMemory() = default;
    /// `base`: the RAM's address in the guest.
    GuestMemory(void* memory, uint64_t base, uint64_t size) : memory_(static_cast<uint8_t*>(memory)), base_(base), size_(size) {}

    /// nullptr if not all of it is RAM.
    uint8_t* at(uint64_t address, uint64_t size) const {
        uint64_t const offset = address - base_;
        return size <= size_ && offset <= size_ - size ? memory_ + offset : nullptr;
    }

private:
    uint8_t* memory_ = nullptr;
    uint64_t base_ = 0;
    uint64_t size_ = 0;
};

} // namespace virtio
