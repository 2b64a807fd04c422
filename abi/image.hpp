// SPDX-License-Identifier: MIT
// The boot table: what the packer writes behind the core and the core instantiates in one pass, record by record, in order.
// The core's ELF holds these types in its debug information; the packer reads them from there.
#pragma once
#include <cstdint>

namespace abi {

/// The image as loaded: the core (an arm64 `Image` header first) at image_address; `core_end` (linker) rounded up to a page:
/// the boot table; then payloads, page-aligned.
constexpr uint64_t image_address = 0x4020'0000; ///< physical; the `Image` header's text_offset makes loaders choose it

constexpr uint64_t boot_magic = 0x3154'4f4f'424b'4c42; ///< "BLKBOOT1"
constexpr uint32_t boot_version = 1;
constexpr unsigned max_cores = 8;
constexpr unsigned priorities = 64;
constexpr unsigned max_objects = 0x8000; ///< slots of the object table: a device page has 15 bits for an index

struct BootHeader {
    uint64_t magic;
    uint32_t version;
    uint32_t size;  ///< bytes of header and records
    uint32_t crc32; ///< checksum (abi/checksum.hpp) of the `size` bytes, this field taken as zero
    uint32_t record_count;
    uint32_t cores;     ///< that the system uses: 0..cores-1
    uint32_t objects;   ///< slots of the object table (1..max_objects), those for run-time objects included
    uint64_t pool_base; ///< physical memory for the core's own pages (tables, partitions, vCPUs); page-aligned
    uint64_t pool_size;
    uint64_t gicd_base, gicr_base, gicr_stride; ///< physical, GICv3; gicr of core n at gicr_base + n * gicr_stride
    uint64_t uart_base;                         ///< PL011 for what the core itself says: at boot, and at its end
    uint64_t ram_base, ram_size;
    uint64_t reserved[6];
};

enum class RecordType : uint16_t {
    memory = 1,
    partition,
    vcpu,
    endpoint,
    notification,
    interrupt,
    map,
    device,
    trap,
    server,
    capability,
    payload,
    bind,
    start
};

/// Every record is 64 bytes and begins with its type and the object it creates or concerns (an index of the object table,
/// 1.., chosen by the packer; 0 is no object).
struct RecordHead {
    RecordType type;
    uint16_t object;
    uint32_t flags;
};

struct BootMemory { ///< flags: MemoryType in bits 0..7; bit 8: donatable (the core prepares to map it at EL2)
    RecordHead head;
    uint64_t base, size; ///< physical, pages; base 0: the page in which the machine's device tree begins (core's x0)
    uint32_t parent;     ///< object it is derived from (shared with), 0: none
    uint32_t reserved0;
    uint64_t reserved[4];
};
struct BootPartition { ///< flags: PartitionKind in bits 0..7; bit 8: may use Hypercall::machine; bit 9: native, and confined: it
                       ///< can execute nothing that reads or writes an EL1 register that the core would have to keep from it
    RecordHead head;
    char name[24];              ///< NUL-terminated; for the log
    uint32_t vmid;              ///< 1..255, unique
    uint32_t slots;             ///< of the capability table, at most 1024
    uint32_t table_pages;       ///< stage-2 table pages, the root not counted, that its mappings need
    uint32_t supervisor;        ///< notification signalled when one of its vCPUs faults, 0: the machine ends (reason=policy)
    uint32_t supervisor_signal; ///< bit number 0..63
    uint32_t object_quota;      ///< objects that it may create at run time
    uint64_t spi_count;         ///< VM: SPIs, a multiple of 32 up to 224
};
struct BootVcpu { ///< flags: bit 0: opens its core's PMU to all that runs there; of a VM, if the CPU has it: bit 1: a PMU of
                  ///< its own; bit 2: pointer authentication
    RecordHead head;
    uint16_t partition;
    uint16_t index; ///< in the partition, 0..
    uint16_t core;
    uint16_t priority;  ///< 0..63, 63 the most urgent
    uint32_t budget_us; ///< 0: unlimited
    uint32_t period_us;
    uint64_t mpidr; ///< affinity fields for VMPIDR_EL2
    uint64_t reserved[4];
};
struct BootEndpoint {
    RecordHead head;
    uint32_t max_us; ///< a request that takes longer is a fault of the server
    uint32_t reserved0;
    uint64_t reserved[6];
};
struct BootNotification {
    RecordHead head;
    uint32_t vcpu; ///< that takes the signals
    uint32_t reserved0;
    uint64_t reserved[6];
};
struct BootInterrupt { ///< flags: bit 0: edge-triggered
    RecordHead head;
    uint32_t intid; ///< physical SPI
    uint32_t core;  ///< routed there
    uint64_t reserved[6];
};
struct BootMap { ///< object: the memory; flags: access bits
    RecordHead head;
    uint32_t partition;
    uint32_t reserved0;
    uint64_t ipa;
    uint64_t reserved[5];
};
struct BootDevice { ///< object: the partition whose pages they become
    RecordHead head;
    uint32_t endpoint;
    uint32_t badge;
    uint64_t ipa;
    uint64_t pages;
    uint64_t reserved[4];
};
/// Which endpoint takes which trap of a VM.
enum class Trap : uint32_t {
    timer = 0,  ///< CNTP_* (and CNTPS) system registers
    gic = 1,    ///< ICC_SGI*R_EL1 and other trapped ICC_*
    sysreg = 2, ///< every other trapped system register
    smccc = 3,  ///< HVC #0 and SMC #0
    wfi = 4,
    wfe = 5, ///< if named, WFE is trapped
    count = 6,
};
struct BootTrap { ///< object: the partition; flags: Trap
    RecordHead head;
    uint32_t endpoint;
    uint32_t badge;
    uint64_t reserved[6];
};
struct BootServer { ///< object: the endpoint
    RecordHead head;
    uint32_t vcpu;
    uint32_t reserved0;
    uint64_t reserved[6];
};
struct BootCapability { ///< object: what the capability names
    RecordHead head;    ///< flags: rights
    uint32_t partition; ///< in whose table
    uint32_t slot;      ///< 1..; 0 stays empty so that a zero handle is never valid
    uint64_t badge;
    uint64_t reserved[5];
};
/// Bytes of the image whose checksum the core verifies before any partition starts: what native partitions are made of, and VMs that
/// lifecycle does not load.
struct BootPayload {
    RecordHead head;
    uint64_t base, size; ///< physical; whole units (abi/checksum.hpp)
    uint32_t crc32;
    uint32_t reserved0;
    char name[24]; ///< for the error message
    uint64_t reserved[1];
};
struct BootBind { ///< object: the interrupt; flags bit 0: hardware-linked to a VM (target: partition), else a
                  ///< notification
    RecordHead head;
    uint32_t target;
    uint32_t signal; ///< bit number, or the VM's INTID
    uint64_t reserved[6];
};
struct BootStart { ///< object: the vCPU, started when all records are done, in order
    RecordHead head;
    uint64_t entry, x0, x1, stack;
    uint64_t reserved[3];
};

union BootRecord {
    RecordHead head;
    BootMemory memory;
    BootPartition partition;
    BootVcpu vcpu;
    BootEndpoint endpoint;
    BootNotification notification;
    BootInterrupt interrupt;
    BootMap map;
    BootDevice device;
    BootTrap trap;
    BootServer server;
    BootCapability capability;
    BootPayload payload;
    BootBind bind;
    BootStart start;
};
static_assert(sizeof(BootRecord) == 64);

/// Pages of the pool that the core takes: the packer adds these up (and one L3 table of EL2 for each 2 MiB that donatable
/// memory and the pool touch).
constexpr unsigned pool_pages_per_partition = 2; ///< the partition with its capability table page... plus
                                                 ///< slots*16/4096 beyond 1
constexpr unsigned pool_pages_per_vcpu = 1;
constexpr unsigned object_slot_bytes = 128;

} // namespace abi
