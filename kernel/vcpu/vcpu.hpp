// SPDX-License-Identifier: MIT
// A vCPU: the execution context of a partition, what it waits for, and its place in the scheduler.
#pragma once
#include "abi/message.hpp"
#include "cap/partition.hpp"
#include "irq/queue.hpp"
#include "vcpu/state.hpp"
#include <atomic>

namespace bulkhead {

using abi::FaultReason;
using abi::VcpuState;

/// A server that reads the state of a VM's interrupts waits, by restarting, until these vCPUs' cores have brought it up to date.
struct InterruptWait {
    const Partition* vm;
    uint32_t asked; ///< bit per vCPU
};

/// A vCPU's own interrupts (INTIDs 0..31), what waits for it, and what its list registers hold. Owned by irq/virtual.
struct VcpuInterrupts {
    Word word[32];
    InterruptQueue queue;
    IntidSet parked;                        ///< active, acknowledged by this vCPU, not in a list register
    uint16_t listed[max_list_registers];    ///< the INTID that list register n holds, n < used
    uint32_t used;                          ///< zero unless resident
    std::atomic<uint8_t> dirty;             ///< what is to be done before the guest runs: fill_anew, again(n); 0: nothing
    std::atomic<bool> fold_wanted;          ///< another core waits until the words tell what the list registers hold
    static constexpr uint8_t fill_anew = 1; ///< the list registers
    /// The interrupt in list register n is pending again, which is all that has changed of it.
    static constexpr uint8_t again(uint64_t n) { return static_cast<uint8_t>(2u << n); }
    /// As dirty.load(relaxed), in one instruction.
    uint8_t is_dirty() const { return *reinterpret_cast<const volatile uint8_t*>(&dirty); }
    uint8_t wants_fold() const { return *reinterpret_cast<const volatile uint8_t*>(&fold_wanted); }
    uint64_t serror_syndrome; ///< for VSESR_EL2 while a virtual SError is pending
    InterruptWait wait;       ///< of a native partition's vCPU
};

struct FaultRecord {
    FaultReason reason;
    uint64_t detail[3];
};

/// Requests that other cores make; handled by the vCPU's own core when it takes the inter-processor interrupt.
namespace request {
constexpr uint32_t wake = 1, stop = 2, pause = 4, interrupts = 8, leave = 16, resume = 32, start = 64,
                   serving = 128; ///< being handled
} // namespace request

/// Where a VM's trap or a call goes, as it was found last; good until `Destination::now` has moved on.
struct Destination {
    uint64_t found; ///< `now` when it was; zero: not found
    Vcpu* server;
    uint64_t badge;
    ObjectRef endpoint;
    /// Counts the changes that can lead a request elsewhere: servers, routes, device pages and capabilities that come or go.
    static inline std::atomic<uint64_t> now{1};
    static void forget_all() { now.fetch_add(1, std::memory_order_release); }
    /// now.load(relaxed), in one instruction less.
    static uint64_t current() { return *reinterpret_cast<const volatile uint64_t*>(&now); }
};

struct Vcpu {
    static constexpr ObjectType type = ObjectType::vcpu;

    Context context;
    bool native;
    uint8_t index; ///< in its partition
    uint8_t core;  ///< where it runs
    uint8_t priority;
    bool serves;        ///< some endpoint: it stays on its core
    bool leaves_slowly; ///< a VM's: leave_slowly() has something to look at
    bool own_pmu;       ///< the PMU is switched with it
    bool may_repeat;    ///< its open request was delivered before, to a server that was lost
    union {
        struct {
            VcpuState state;
            bool paused;
            bool throttled;    ///< its budget is used up
            bool parked;       ///< waits for a server that is stopped, paused or faulted; in the core's parked list
            bool queued;       ///< in a ready queue. A server is only while it runs on its own priority and budget
            bool took_signals; ///< the last delivery was of signals: calls go first now
            bool signals_due;  ///< its notification has pending signals
            bool unconfined;   ///< a native partition's that may use any register that does not trap: no short way leads to it
        };
        uint64_t standing; ///< all of these, for the shortest way: a server that just waits, or just serves
    };
    static constexpr uint64_t just_waiting = static_cast<uint64_t>(VcpuState::waiting);
    static constexpr uint64_t just_serving = static_cast<uint64_t>(VcpuState::ready);
    static constexpr uint64_t held_back = 0xffff'ff00;          ///< paused, throttled, parked
    static constexpr uint64_t may_be_enqueued = 0xff'ffff'ffff; ///< these, the state, and queued
    static constexpr uint64_t just_queued = static_cast<uint64_t>(VcpuState::ready) | 1ull << 32;
    static constexpr uint64_t took = 1ull << 40, has_signals = 1ull << 48;
    bool is_tied() const { return state == VcpuState::calling || caller || serves; }                  ///< to its core
    bool is_held() const { return paused || state == VcpuState::off || state == VcpuState::faulted; } ///< nobody executes it
    Controls controls;
    EagerState eager;

    Partition* partition;
    uint16_t object_index;
    uint8_t next_core;  ///< where request::leave takes it
    uint32_t hypercall; ///< ESR_EL2 of its hypercall 0; of a VM, which has none: farther from any than their number

    uint64_t tag; ///< of its requests: its index, the rest is zero
    // The open trapped access or call
    uint64_t esr;   ///< syndrome of the trap that left last
    uint64_t far;   ///< of an abort: the guest's virtual address
    uint64_t ipa;   ///< of an abort
    uint64_t hpfar; ///< of the last access to a device page, which goes to...
    Destination device;
    uint64_t handle;            ///< that a native partition's call named last; it goes to...
    Destination called;         ///< ...here, as a VM's HVC does
    Destination debug;          ///< registers with op0 = 2
    Destination registers[16];  ///< by CRn; op0 is 3
    uint64_t sequence;          ///< of the open, or last, request
    uint64_t badge;             ///< that the open request carries
    ObjectRef endpoint;         ///< that the open request goes to
    Vcpu* callee;               ///< server that has its request; null while it is not delivered
    Vcpu* caller;               ///< whose request this server handles
    Notification* notification; ///< whose signals it takes

    // Scheduling
    Vcpu* ready_next; ///< of its ring in the ready queue; or of the parked ones
    Vcpu* ready_previous;
    Vcpu* timer_next;
    uint64_t timer_at; ///< CNTPCT: deadline of a wait, or replenishment; no_deadline: not in the core's timer queue
    bool timer_armed() const { return timer_at != abi::no_deadline; }
    uint64_t budget_ticks, period_ticks; ///< 0: unlimited
    uint64_t budget_left, period_end;
    uint64_t slice_left; ///< of its turn among equals, when somebody more urgent came
    uint64_t cpu_ticks;
    uint64_t watch_ticks, watch_used; ///< watchdog: bound, and time used by the request with...
    uint64_t watch_sequence;          ///< ...this sequence number
    Vcpu* watch_caller;

    // Requests from other cores
    std::atomic<uint32_t> requests;
    Vcpu* inbox_next;

    FaultRecord fault;
    uint64_t exits[6]; ///< others, -, system registers, SMCCC, WFx, interrupts
    uint64_t accesses() const { return sequence - exits[2] - exits[3] - exits[4]; } ///< MMIO: the other requests

    uint64_t start_entry, start_x0, start_x1, start_stack; ///< arguments of a start, for its own core

    LazyState lazy;
    ExtraState extra;
    VcpuInterrupts interrupts;
    FpState fp;
};
static_assert(sizeof(Vcpu) <= page_size);

} // namespace bulkhead
