// SPDX-License-Identifier: MIT
// What driver and device agree on (VirtIO 1.2): the registers of the MMIO transport (4.2.2), the device's status (2.1), the
// split virtqueue in the guest's memory (2.7). All of it is little-endian.
#pragma once
#include <cstdint>

namespace virtio {

/// Offsets of the MMIO transport, version 2. Each register is a word.
enum class Register : uint32_t {
    magic = 0x000,
    version = 0x004,
    device_id = 0x008,
    vendor_id = 0x00c,
    device_features = 0x010,
    device_features_select = 0x014,
    driver_features = 0x020,
    driver_features_select = 0x024,
    queue_select = 0x030,
    queue_size_max = 0x034,
    queue_size = 0x038,
    queue_ready = 0x044,
    queue_notify = 0x050,
    interrupt_status = 0x060,
    interrupt_ack = 0x064,
    status = 0x070,
    queue_descriptors = 0x080, ///< low half, high half; so are the next two
    queue_driver = 0x090,
    queue_device = 0x0a0,
    shared_memory_length = 0x0b0,
    config_generation = 0x0fc,
    config = 0x100,
};

constexpr uint32_t magic = 0x7472'6976; // "virt"
constexpr uint32_t version = 2;
constexpr uint32_t vendor = 0x4b4c'4842; // "BHLK"

namespace device_id {
constexpr uint32_t console = 3;
} // namespace device_id

namespace feature {
constexpr uint64_t event_index = 1ull << 29;
constexpr uint64_t version_1 = 1ull << 32;
} // namespace feature

namespace status {
constexpr uint32_t acknowledge = 1, driver = 2, driver_ok = 4, features_ok = 8, needs_reset = 64, failed = 128;
} // namespace status

namespace interrupt {
constexpr uint32_t used = 1, config = 2;
} // namespace interrupt

struct Descriptor {
    static constexpr uint16_t next_follows = 1, device_writes = 2, indirect = 4;
    uint64_t address;
    uint32_t length;
    uint16_t flags;
    uint16_t next;
};
static_assert(sizeof(Descriptor) == 16);

/// What the driver writes: which chains are the device's. `size` heads of chains follow, and the index whose use it wants to hear of
/// (`event_index`).
struct Available {
    static constexpr uint16_t no_interrupt = 1;
    uint16_t flags;
    uint16_t index;
};

/// What the device writes: which chains are the driver's again. `size` elements follow, and the index of which it wants to hear.
struct Used {
    uint16_t flags;
    uint16_t index;
};
struct UsedElement {
    uint32_t head;
    uint32_t written; ///< bytes
};

} // namespace virtio
