// SPDX-License-Identifier: MIT
// What lifecycle needs of the core and of other services; host tests put a fake machine behind it.
#pragma once
#include "abi/hypercall.hpp"
#include "abi/protocol/client.hpp"
#include "abi/status.hpp"
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace lifecycle {

struct VcpuStatus {
    abi::VcpuState state = abi::VcpuState::off;
    abi::FaultReason reason = abi::FaultReason::none;
    uint64_t syndrome = 0;
    uint64_t address = 0; ///< IPA or ELR_EL1, by reason
    uint64_t detail = 0;
    uint64_t ticks = 0; ///< CPU time
};

struct Start {
    uint64_t entry;
    uint64_t x0;
    uint64_t x1 = 0;
    uint64_t stack = 0;
};

class Port {
public:
    virtual abi::Status start(abi::Handle vcpu, Start const& where) = 0;
    virtual abi::Status control(abi::Handle vcpu, abi::VcpuOperation operation) = 0;
    virtual VcpuStatus status(abi::Handle vcpu) = 0;
    virtual uint64_t pc(abi::Handle vcpu) = 0;
    /// All exits so far; nothing while the vCPU runs on another core.
    virtual std::optional<uint64_t> exits(abi::Handle vcpu) = 0;

    /// Maps the memory writable into the window, which holds one at a time; empty if that fails.
    virtual std::span<uint8_t> map(abi::Handle memory, uint64_t size) = 0;
    virtual void unmap(abi::Handle memory) = 0;
    virtual void zero(std::span<uint8_t> bytes) = 0;
    /// Of whole units (abi/checksum.hpp); `before`: of what came before them.
    virtual uint32_t checksum(std::span<const uint8_t> bytes, uint32_t before) = 0;
    /// Cleans the data cache to the point of coherency: a guest starts with its caches off.
    virtual void clean(std::span<uint8_t> bytes) = 0;

    virtual abi::Status tell(abi::Handle endpoint, abi::client::Label label, uint32_t client, uint64_t word) = 0;
    /// Asks console to drain its rings: ok, or again.
    virtual abi::Status flush() = 0;
    virtual void off(abi::OffReason reason) = 0;

    /// What nobody can guess, from the CPU; nothing if it has no such instruction or nothing ready.
    virtual std::optional<uint64_t> entropy() = 0;

    /// The CPU's own feature register (id_registers.hpp).
    virtual uint64_t id_register(uint32_t encoding) = 0;

    virtual uint64_t ticks() = 0; ///< CNTPCT
    virtual uint64_t ticks_per_second() = 0;
    virtual void write(std::string_view text) = 0; ///< to the own stream; vCPU 0 only
    virtual void wake() = 0;                       ///< vCPU 0 of lifecycle looks at what was requested

    uint64_t microseconds(uint64_t of_ticks) {
        uint64_t rate = ticks_per_second();
        return of_ticks / rate * 1'000'000 + of_ticks % rate * 1'000'000 / rate;
    }
    uint64_t in_microseconds(uint64_t us) { return ticks() + us * ticks_per_second() / 1'000'000; }

protected:
    ~Port() = default;
};

} // namespace lifecycle
