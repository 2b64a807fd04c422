// SPDX-License-Identifier: MIT
// The VMs and native partitions that lifecycle looks after: what the environment says of them and
// their present state.
#pragma once
#include "abi/hypercall.hpp"
#include "services/lib/random.hpp"
#include "services/lifecycle/id_registers.hpp"
#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>

namespace lifecycle {

constexpr unsigned max_vms = 16;
constexpr unsigned max_natives = 24;
constexpr unsigned max_vcpus = 8; ///< of one partition
constexpr unsigned max_payloads = 6;
constexpr unsigned max_seeds = 4;
constexpr unsigned max_services = 6;  ///< that keep state for one VM
constexpr unsigned max_data = 6;      ///< writable memories of one native partition
constexpr unsigned max_undefined = 8; ///< registers per VM that the log names
constexpr uint64_t unknown = ~0ull;

enum class Policy : uint8_t { restart, stop, end };

struct VcpuDescription {
    abi::Handle handle = 0;
    uint64_t mpidr = 0;
    uint64_t core = unknown;
    uint64_t stack = 0;
};

struct Supervised {
    std::string_view name;
    Policy policy = Policy::stop;
    uint64_t restart_limit = 0; ///< of restarts after faults
    uint64_t fault_restarts = 0;
    uint64_t restarts = 0;      ///< all of them
    uint64_t fault_signals = 0; ///< set of bits in the own notification
    uint64_t entry = 0;
    unsigned vcpu_count = 0;
    VcpuDescription vcpus[max_vcpus];
};

struct Payload {
    std::span<const uint8_t> bytes; ///< as packed, with zeros up to a whole unit of the checksum
    uint64_t address;               ///< IPA
    uint32_t checksum = 0;          ///< 0: none
    std::string_view name = {};
};

/// A property of the VM's device tree that is filled in afresh at every start.
struct Seed {
    uint64_t address; ///< IPA of its FDT_PROP token; length, name and value follow
    uint64_t size;    ///< of the value
};

struct StatefulService {
    abi::Handle endpoint; ///< with the control badge
    uint32_t client;
};

enum class VmState : uint8_t {
    off,
    loading,
    running,
    changing, ///< vCPU 0 of lifecycle is about to do `Vm::task`: no vCPU may be started
    paused,
};

/// What a vCPU of lifecycle asks vCPU 0 to do for a VM; a set of bits.
namespace request {
constexpr uint32_t off = 1, reset = 2, look = 4, report = 8;
} // namespace request

enum class Task : uint8_t { none, stop, restart, pause };
/// Why a VM is off or restarts.
enum class Cause : uint8_t { user, guest, fault };

struct Vm : Supervised {
    bool autostart = false;
    Extras extras;
    abi::Handle ram = 0;
    uint64_t ram_base = 0, ram_size = 0;
    uint64_t dtb = 0;  ///< IPA, x0 of vCPU 0
    bool used = false; ///< its RAM is not as the machine's reset left it, or that is not good enough: a start zeroes it
    unsigned payload_count = 0;
    Payload payloads[max_payloads] = {};
    unsigned seed_count = 0;
    Seed seeds[max_seeds] = {};
    unsigned service_count = 0;
    StatefulService services[max_services] = {};

    std::atomic<VmState> state = VmState::off;
    /// vCPUs that CPU_ON is starting just now. Order: set a bit, then look at `state`; who changes
    /// the state sets it, then waits until no bit is set. So neither needs a lock.
    std::atomic<uint32_t> starting = 0;
    /// vCPUs that are on as PSCI has it: from the request to start them until CPU_OFF is answered.
    /// The core follows a moment later, for a start or a stop on another core takes an interrupt
    /// there.
    std::atomic<uint32_t> on = 0;
    std::atomic<uint32_t> requests = 0;
    std::atomic<uint32_t> os_unlocked = 0;               ///< OSLAR_EL1 per vCPU, inverted: locked at reset
    std::atomic<uint32_t> undefined[max_undefined] = {}; ///< trapped registers that nobody serves, 0: free

    // vCPU 0 of lifecycle only:
    Task task = Task::none;
    Cause cause = Cause::user;
    unsigned undefined_logged = 0;
};

struct DataMemory {
    abi::Handle memory;
    std::span<const uint8_t> pristine; ///< the rest is zero
    uint64_t size;
};

struct Native : Supervised {
    uint64_t environment = 0;
    unsigned data_count = 0;
    DataMemory data[max_data] = {};
    bool stopped = false;
};

struct System {
    unsigned vm_count = 0;
    Vm vms[max_vms];
    unsigned native_count = 0;
    Native natives[max_natives];
    service::Random random;    ///< the source of all VMs' seeds; vCPU 0 only
    bool end_when_idle = true; ///< the machine ends when every VM is off by its own doing or by a fault

    std::span<Vm> all_vms() { return {vms, vm_count}; }
    std::span<Native> all_natives() { return {natives, native_count}; }
};

} // namespace lifecycle
