// SPDX-License-Identifier: MIT
// The hypercalls: numbers, arguments and results, stated once. `hvc #number`, arguments in x0.., status in x0, results in x1..
// Only native partitions may make them; a VM's `hvc #n` with n != 0 is an undefined instruction there.
// What x0 names is looked up before anything else: bad_handle, bad_type and no_right of it are the first errors of every hypercall.
// All registers but x0..x8 are preserved, except by reply_recv and signal_recv, after which a server starts afresh (see there).
// A long operation may be interrupted; it goes on by itself, and is complete when the call returns.
#pragma once
#include <cstdint>

namespace abi {

/// A handle is an index into the caller's own capability table.
using Handle = uint64_t;

enum class Hypercall : uint16_t {
    smccc = 0, ///< not Bulkhead's: PSCI and other SMCCC calls of guests

    // IPC
    /// x0 endpoint (right: call), x1 tag (label in bits 0..15), x2..x7 words. Returns x0 status, x1 reply label, x2..x7 words.
    /// Errors: bad_handle, bad_type, no_right, no_server, cycle, server_fault.
    call = 1,
    /// x0 deadline in CNTPCT ticks (no_deadline: none), x1 reply tag, x2..x7 words. Answers the request in hand, if any, and
    /// waits for the next message. Does not return in the ordinary way: the vCPU is *entered* behind the instruction with
    /// the message in x0..x8 (abi::Message) and SP as it was. x9..x30 hold nothing of others: zero, or what the vCPU itself had
    /// there at an earlier exit.
    reply_recv = 2,
    /// x0 notification (right: signal), x1 set of signals; those outside the capability's badge (a mask) are refused: no_right.
    signal = 3,

    // Capabilities
    /// x0 partition (right: delegate), x1 destination slot there (must be free), x2 own handle, x3 rights (a subset), x4 badge
    /// (only an endpoint or notification capability whose badge is 0 may be given one: minting; else must be equal or 0 = keep).
    delegate = 4,
    /// x0 own handle: the slot is free afterwards; the object stays. With x1 = partition handle (right: delegate), non-zero:
    /// x0 is a slot of that partition.
    drop = 5,

    // Memory
    /// x0 memory (right: derive), x1 offset, x2 size (bytes, pages), x3 destination slot in the caller's table, x4 rights.
    derive = 6,
    /// x0 memory (right: derive): destroys all memory derived from it, unmaps it; TLBs included.
    revoke = 7,
    /// x0 partition (right: map), x1 memory (right: map), x2 IPA, x3 access (abi::Access bits); execute never into a confined
    /// partition (image.hpp), whose code is known: bad_state.
    map = 8,
    /// x0 memory (right: map): unmapped wherever it is mapped.
    unmap = 9,
    /// x0 partition (right: map), x1 IPA, x2 number of pages, x3 endpoint (right: serve), x4 badge (32 bits), 5: unmaps when
    /// x3 is ~0. The pages must be unmapped. Accesses become messages to the endpoint.
    map_device = 10,

    // Objects
    /// x0 type (abi::ObjectType), x1 memory to donate (right: donate; ~0 for types that need none), x2 destination slot,
    /// x3.. by type: partition: x3 kind, x4 capability slots, x5 notification (right: signal) that is signalled with bit x6 when
    /// one of its vCPUs faults (0: as for the creator); vcpu: x3 partition (right: create), x4 index, x5 core, x6 priority;
    /// endpoint: x3 max_us; notification: x3 vcpu (right: control) that takes the signals. Result: capability with all rights.
    create = 11,
    /// x0 object (right: destroy). Donated pages return to the memory object, zeroed. A partition takes its vCPUs with it.
    destroy = 12,
    /// x0 endpoint (right: serve), x1 vcpu (right: control): it serves the endpoint on the vcpu's core.
    bind = 13,

    // vCPUs
    /// x0 vcpu (right: control), x1 operation (abi::VcpuOperation), x2.. by operation.
    vcpu_control = 14,
    /// x0 vcpu (right: inspect), x1 group (abi::VcpuGroup). Returns x1..x6 six words. The vCPU must not be running
    /// (bad_state), except for the groups `status` and `exits`.
    vcpu_read = 15,
    /// x0 vcpu (right: control), x1 register (abi::VcpuRegister), x2 value. The vCPU must not be running (bad_state).
    vcpu_write = 16,
    /// x0 vcpu (right: control), x1 priority 0..63 (63 is the most urgent), x2 budget in us (0: unlimited), x3 period in us.
    vcpu_schedule = 17,

    // Interrupts
    /// x0 partition (right: interrupt; the badge holds the allowed range: first INTID in bits 0..15, last in 16..31; with
    /// badge 0, as the creator has it, none is allowed: mint one),
    /// x1 INTID, x2 vCPU index (SGIs and PPIs only), x3 level: 1 raise, 0 lower, 2 pulse (edge). With the right
    /// configure_interrupts, which sets every latch by interrupt_state, a pulse may be of any INTID; else, and to raise or lower,
    /// there are no SGIs.
    interrupt_line = 18,
    /// x0 partition (right: configure_interrupts), x1 register (abi::VirtualInterruptRegister), x2 vCPU index (SGIs and PPIs,
    /// ctlr), x3 first INTID, x4 value (32 bits). Returns x1: value before; of a register that ones set or clear, in the places
    /// of the ones, if there are any. With bit 63 of x3 (read_only) nothing is written.
    interrupt_state = 19,
    /// x0 interrupt (right: bind), x1 notification (right: serve), x2 signal bit 0..63: the line's interrupts become signals;
    /// or x3 = 1: x1 partition (right: configure_interrupts), x2 INTID: hardware-linked to a VM's virtual interrupt.
    interrupt_bind = 20,
    /// x0 interrupt (right: acknowledge), x1: 0 acknowledge (the line may fire again), 1 mask, 2 unmask.
    interrupt_control = 21,

    // The machine
    /// x0 abi::MachineOperation, x1.. by operation; only for partitions that the boot table allows (no_right).
    machine = 22,

    /// x0 partition (right: map), x1 trap (abi::Trap), x2 endpoint (right: serve), x3 badge (32 bits): these traps of the VM
    /// become messages to the endpoint. wfe: before the vCPUs are made.
    route = 23,

    /// signal and then reply_recv, without an answer: x0 notification (right: signal), x1 a tag of Kind::refused, x2 set of signals,
    /// x3 deadline. Whoever waits for the signals on this core, with the caller's priority, runs next if nobody else of it is ready.
    /// The vCPU is entered with a message, as by reply_recv; if nothing was done, with the tag of x1, and the status in x0. bad_state: a
    /// request is in hand.
    signal_recv = 24,
};
constexpr uint64_t read_only = 1ull << 63; ///< interrupt_state
constexpr unsigned hypercall_count = 24;   ///< smccc not counted; the bound is 24

enum class ObjectType : uint8_t { none = 0, memory, partition, vcpu, endpoint, notification, interrupt };

/// Rights of a capability, by type of object; every delegation may only clear some.
namespace right {
// all types
constexpr uint16_t destroy = 1 << 0;
// memory: access that a mapping may have is bounded by these too
constexpr uint16_t read = 1 << 1, write = 1 << 2, execute = 1 << 3, map_memory = 1 << 4, derive = 1 << 5, donate = 1 << 6;
// partition
constexpr uint16_t delegate = 1 << 1, map_into = 1 << 2, create_vcpu = 1 << 3, interrupt_line = 1 << 4,
                   configure_interrupts = 1 << 5;
// vcpu
constexpr uint16_t control = 1 << 1, inspect = 1 << 2, time = 1 << 3;
// endpoint
constexpr uint16_t call = 1 << 1, serve = 1 << 2;
// notification (serve: bind interrupts to it)
constexpr uint16_t signal = 1 << 1;
// interrupt
constexpr uint16_t bind = 1 << 1, acknowledge = 1 << 2;
constexpr uint16_t all = 0xffff;
} // namespace right

/// How memory is mapped (stage 2). Write and execute together are refused.
namespace access {
constexpr uint64_t read = 1, write = 2, execute = 4;
} // namespace access

enum class MemoryType : uint8_t { normal = 0, device = 1 };
enum class PartitionKind : uint8_t { native = 0, vm = 1 };

enum class VcpuOperation : uint8_t {
    start = 0,         ///< x2 entry IPA, x3 value for x0, x4 value for x1, x5 stack pointer (native). From reset state (Arm
                       ///< ARM, warm reset)
    stop = 1,          ///< loses its place; a later start begins afresh. An open call is abandoned
    pause = 2,         ///< keeps its place; complete when the call returns
    resume = 3,        ///< of a paused vCPU; of a faulted VM vCPU: repeats the faulting instruction
    move = 4,          ///< x2 core; the vCPU must be stopped or paused, without an open call, and serve no endpoint
                       ///< (bad_state). If it waits until some time, that is over
    inject_serror = 5, ///< VM only: virtual SError, x2 = VSESR syndrome (RAS) or 0
    watch = 6,         ///< x2 watch time in us: if the vCPU runs without a reply_recv for longer, it faults (0: off). Native
                       ///< only
};

/// vcpu_read groups, six words each.
enum class VcpuGroup : uint8_t {
    status = 0,  ///< abi::VcpuState, FaultReason, fault detail 0 (ESR_EL2), 1 (IPA or FAR), 2 (by reason), CPU time in
                 ///< ticks
    pc = 1,      ///< PC, PSTATE, SP_EL0, SP_EL1, ELR_EL1, ESR_EL1
    general = 2, ///< x0..x5; general + n: x(6n).. up to general + 5 (x30 alone)
    exits = 8,   ///< counts: all exits to EL2, MMIO, system registers, SMCCC, WFx, interrupts
};
enum class VcpuRegister : uint8_t {
    x0 = 0, ///< .. x30 = 30
    pc = 31,
    cntvoff = 32, ///< also with right `time` instead of control; for all vCPUs of the VM alike, set each
    mpidr = 33,   ///< affinity bits of VMPIDR_EL2
};

enum class VcpuState : uint8_t {
    ready = 0,   ///< runs or could; zero, for the shortest way writes it at every exit
    off = 1,     ///< never started, stopped, or off by its own wish
    waiting = 2, ///< in reply_recv, WFI
    calling = 3, ///< a request is with a service
    paused = 4,
    faulted = 5,
};

/// Why a vCPU faulted; the log writes these names.
enum class FaultReason : uint8_t {
    none = 0,
    stage2 = 1,      ///< access to an IPA where nothing is mapped. detail 1: IPA
    permission = 2,  ///< access that the mapping forbids. detail 1: IPA
    undecodable = 3, ///< access to a device page by an instruction without a valid syndrome (ISV=0). detail 1: IPA
    no_endpoint = 4, ///< a trap that no endpoint is named for. detail 2: the message's word 0
    exception = 5,   ///< native: an exception at EL1 (no vectors). detail 1: ELR_EL1, detail 2: ESR_EL1
    watchdog = 6,    ///< a request took longer than the endpoint's max_us, or the watch time passed
    refused = 7,     ///< a service answered Action::fault
    serror = 8,      ///< an SError interrupt was attributed to it
    synchronous = 9, ///< another synchronous exception taken to EL2. detail 0: ESR_EL2
    bad_entry = 10,  ///< a stack or start address that cannot be used
};
constexpr const char* name(FaultReason reason) {
    constexpr const char* names[] = {"none",     "stage2",  "permission", "undecodable", "no_endpoint", "exception",
                                     "watchdog", "refused", "serror",     "synchronous", "bad_entry"};
    auto index = static_cast<unsigned>(reason);
    return index < sizeof(names) / sizeof(names[0]) ? names[index] : "unknown";
}

/// interrupt_state registers: each covers 32 INTIDs (one bit each), or 4 (priority, a byte each), or 16 (config, two bits
/// each) or 1 (route), as the GICv3 registers do, starting at the INTID given, aligned to that many.
enum class VirtualInterruptRegister : uint8_t {
    group = 0,      ///< read/write: 1 = Group 1
    enable_set = 1, ///< read, write-one-to-enable
    enable_clear = 2,
    pending_set = 3,   ///< read: pending (latch or line); write-one sets the latch
    pending_clear = 4, ///< write-one clears the latch (a high level line stays pending)
    active_set = 5,
    active_clear = 6,
    priority = 7,
    config = 8, ///< bit 1 of each pair: edge-triggered
    route = 9,  ///< SPIs: vCPU index, or 0xff: any vCPU (IRM)
    ctlr = 10,  ///< of the VM: bit 0: EnableGrp0, bit 1: EnableGrp1
};
/// INTIDs 0..31 are per vCPU; SPIs are 32..max_virtual_intid.
constexpr unsigned max_virtual_intid = 255;

enum class MachineOperation : uint8_t {
    off = 0,        ///< x1 reason (abi::OffReason): powers the machine off (PSCI SYSTEM_OFF)
    reset = 1,      ///< PSCI SYSTEM_RESET
    statistics = 2, ///< x1 core. Returns x1 idle ticks, x2 busy ticks, x3 switches between VMs, x4 CTR_EL0
};
enum class OffReason : uint8_t { poweroff = 0, policy = 1, panic = 2 };

} // namespace abi
