// SPDX-License-Identifier: MIT
// The hypercalls of abi/hypercall.hpp as typed functions. Only native AArch64 code can include this
// file.
#pragma once
#include "abi/hypercall.hpp"
#include "abi/image.hpp"
#include "abi/message.hpp"
#include "abi/status.hpp"
#include <cstddef>
#include <cstdint>

namespace service {

using abi::Handle;
using abi::Hypercall;
using abi::Status;

/// What a hypercall returned: x0 as the status, x1..x7 as values.
struct Returned {
    Status status;
    uint64_t values[7];
};

/// A status, and one value that is meaningful if it is ok.
struct Value {
    Status status;
    uint64_t value;
};

/// Any hypercall. Arguments that are not given hold what the registers happen to hold.
template <Hypercall number, typename... Arguments> [[gnu::always_inline]] inline Returned hypercall(Arguments... arguments) {
    constexpr size_t count = sizeof...(Arguments);
    static_assert(count <= 8);
    uint64_t const in[8] = {static_cast<uint64_t>(arguments)...};
    register uint64_t x0 asm("x0");
    register uint64_t x1 asm("x1");
    register uint64_t x2 asm("x2");
    register uint64_t x3 asm("x3");
    register uint64_t x4 asm("x4");
    register uint64_t x5 asm("x5");
    register uint64_t x6 asm("x6");
    register uint64_t x7 asm("x7");
    if constexpr (count <= 2) {
        x0 = in[0], x1 = in[1];
        asm volatile("hvc %8"
                     : "+r"(x0), "+r"(x1), "=r"(x2), "=r"(x3), "=r"(x4), "=r"(x5), "=r"(x6), "=r"(x7)
                     : "i"(static_cast<unsigned>(number))
                     : "x8", "memory", "cc");
    } else if constexpr (count <= 5) {
        x0 = in[0], x1 = in[1], x2 = in[2], x3 = in[3], x4 = in[4];
        asm volatile("hvc %8"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "=r"(x5), "=r"(x6), "=r"(x7)
                     : "i"(static_cast<unsigned>(number))
                     : "x8", "memory", "cc");
    } else {
        x0 = in[0], x1 = in[1], x2 = in[2], x3 = in[3];
        x4 = in[4], x5 = in[5], x6 = in[6], x7 = in[7];
        asm volatile("hvc %8"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5), "+r"(x6), "+r"(x7)
                     : "i"(static_cast<unsigned>(number))
                     : "x8", "memory", "cc");
    }
    return {static_cast<Status>(x0), {x1, x2, x3, x4, x5, x6, x7}};
}

// IPC

/// What a called service answered. `status` is the core's; `label` and `words` are the service's.
struct CallAnswer {
    Status status;
    uint16_t label;
    uint64_t words[abi::message_words];
    /// The answer of a service whose reply labels are statuses: the core's error first.
    constexpr Status result() const { return status != Status::ok ? status : static_cast<Status>(label); }
};

struct CallWords {
    uint64_t word[abi::message_words] = {};
};

inline CallAnswer call(Handle endpoint, uint16_t label, CallWords words = {}) {
    auto const& w = words.word;
    auto r = hypercall<Hypercall::call>(endpoint, label, w[0], w[1], w[2], w[3], w[4], w[5]);
    auto const& v = r.values;
    return {r.status, static_cast<uint16_t>(v[0]), {v[1], v[2], v[3], v[4], v[5], v[6]}};
}

inline Status signal(Handle notification, uint64_t set) { return hypercall<Hypercall::signal>(notification, set).status; }

// Capabilities

inline Status delegate(Handle partition, uint64_t slot, Handle own, uint16_t rights, uint64_t badge = 0) {
    return hypercall<Hypercall::delegate>(partition, slot, own, rights, badge).status;
}

inline Status drop(Handle own) { return hypercall<Hypercall::drop>(own, 0).status; }
inline Status drop_from(Handle partition, uint64_t slot) { return hypercall<Hypercall::drop>(slot, partition).status; }

// Memory

inline Status derive(Handle memory, uint64_t offset, uint64_t size, uint64_t slot, uint16_t rights) {
    return hypercall<Hypercall::derive>(memory, offset, size, slot, rights).status;
}

inline Status revoke(Handle memory) { return hypercall<Hypercall::revoke>(memory).status; }

/// `access`: bits of abi::access.
inline Status map(Handle partition, Handle memory, uint64_t ipa, uint64_t access) {
    return hypercall<Hypercall::map>(partition, memory, ipa, access).status;
}

inline Status unmap(Handle memory) { return hypercall<Hypercall::unmap>(memory).status; }

inline Status map_device(Handle partition, uint64_t ipa, uint64_t pages, Handle endpoint, uint32_t badge) {
    return hypercall<Hypercall::map_device>(partition, ipa, pages, endpoint, badge).status;
}

inline Status unmap_device(Handle partition, uint64_t ipa, uint64_t pages) {
    return hypercall<Hypercall::map_device>(partition, ipa, pages, ~0ull).status;
}

// Objects

constexpr Handle nothing_donated = ~0ull;

/// `supervisor` is signalled with bit `signal` when a vCPU of it faults.
inline Status create_partition(Handle donated, uint64_t slot, abi::PartitionKind kind, uint64_t capability_slots, Handle supervisor,
                               unsigned signal) {
    return hypercall<Hypercall::create>(abi::ObjectType::partition, donated, slot, kind, capability_slots, supervisor, signal)
        .status;
}

inline Status create_vcpu(Handle donated, uint64_t slot, Handle partition, uint64_t index, uint64_t core, uint64_t priority) {
    return hypercall<Hypercall::create>(abi::ObjectType::vcpu, donated, slot, partition, index, core, priority).status;
}

inline Status create_endpoint(Handle donated, uint64_t slot, uint64_t max_us) {
    return hypercall<Hypercall::create>(abi::ObjectType::endpoint, donated, slot, max_us).status;
}

inline Status create_notification(Handle donated, uint64_t slot, Handle vcpu) {
    return hypercall<Hypercall::create>(abi::ObjectType::notification, donated, slot, vcpu).status;
}

inline Status destroy(Handle object) { return hypercall<Hypercall::destroy>(object).status; }

inline Status bind(Handle endpoint, Handle vcpu) { return hypercall<Hypercall::bind>(endpoint, vcpu).status; }

inline Status route(Handle vm, abi::Trap trap, Handle endpoint, uint32_t badge) {
    return hypercall<Hypercall::route>(vm, trap, endpoint, badge).status;
}

// vCPUs

inline Status vcpu_start(Handle vcpu, uint64_t entry, uint64_t x0, uint64_t x1 = 0, uint64_t stack = 0) {
    return hypercall<Hypercall::vcpu_control>(vcpu, abi::VcpuOperation::start, entry, x0, x1, stack).status;
}

/// stop, pause, resume, and with an argument move, inject_serror, watch.
inline Status vcpu_control(Handle vcpu, abi::VcpuOperation operation, uint64_t argument = 0) {
    return hypercall<Hypercall::vcpu_control>(vcpu, operation, argument).status;
}

struct VcpuWords {
    Status status;
    uint64_t words[6];
};

inline VcpuWords vcpu_read(Handle vcpu, abi::VcpuGroup group) {
    auto r = hypercall<Hypercall::vcpu_read>(vcpu, group);
    auto const& v = r.values;
    return {r.status, {v[0], v[1], v[2], v[3], v[4], v[5]}};
}

inline Status vcpu_write(Handle vcpu, abi::VcpuRegister reg, uint64_t value) {
    return hypercall<Hypercall::vcpu_write>(vcpu, reg, value).status;
}

inline Status vcpu_schedule(Handle vcpu, unsigned priority, uint64_t budget_us, uint64_t period_us) {
    return hypercall<Hypercall::vcpu_schedule>(vcpu, priority, budget_us, period_us).status;
}

// Interrupts

enum class Line : uint8_t { low = 0, high = 1, pulse = 2 };

/// `vcpu` matters for INTIDs below 32 only.
inline Status interrupt_line(Handle vm, uint32_t intid, Line level, unsigned vcpu = 0) {
    return hypercall<Hypercall::interrupt_line>(vm, intid, vcpu, level).status;
}

/// The value is the register's before.
inline Value interrupt_state(Handle vm, abi::VirtualInterruptRegister reg, unsigned vcpu, uint32_t first_intid,
                             uint64_t value = 0) {
    auto r = hypercall<Hypercall::interrupt_state>(vm, reg, vcpu, first_intid, value);
    return {r.status, r.values[0]};
}

inline Value read_interrupt_state(Handle vm, abi::VirtualInterruptRegister reg, unsigned vcpu, uint64_t first_intid) {
    auto r = hypercall<Hypercall::interrupt_state>(vm, reg, vcpu, first_intid | abi::read_only, 0);
    return {r.status, r.values[0]};
}

inline Status interrupt_to_signal(Handle interrupt, Handle notification, unsigned bit) {
    return hypercall<Hypercall::interrupt_bind>(interrupt, notification, bit, 0).status;
}

inline Status interrupt_to_vm(Handle interrupt, Handle vm, uint32_t intid) {
    return hypercall<Hypercall::interrupt_bind>(interrupt, vm, intid, 1).status;
}

enum class InterruptOperation : uint8_t { acknowledge = 0, mask = 1, unmask = 2 };

inline Status interrupt_control(Handle interrupt, InterruptOperation operation) {
    return hypercall<Hypercall::interrupt_control>(interrupt, operation).status;
}

// The machine

inline Status machine_off(abi::OffReason reason) {
    return hypercall<Hypercall::machine>(abi::MachineOperation::off, reason).status;
}

inline Status machine_reset() { return hypercall<Hypercall::machine>(abi::MachineOperation::reset).status; }

struct CoreStatistics {
    Status status;
    uint64_t idle_ticks, busy_ticks, context_switches;
    uint64_t ctr_el0; ///< which traps; all cores have the same
};

inline CoreStatistics machine_statistics(unsigned core) {
    auto r = hypercall<Hypercall::machine>(abi::MachineOperation::statistics, core);
    return {r.status, r.values[0], r.values[1], r.values[2], r.values[3]};
}

} // namespace service
