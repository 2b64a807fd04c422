// SPDX-License-Identifier: MIT
// The environment page (abi/environment.hpp): looks handles, regions, properties and strings up by
// name.
#pragma once
#include "abi/environment.hpp"
#include "abi/hypercall.hpp"
#include "services/lib/ring.hpp"
#include "services/lib/spinlock.hpp"
#include "services/lib/text.hpp"

namespace service {

struct Region {
    void* address = nullptr;
    uint64_t size = 0;
    uint32_t checksum = 0; ///< abi::EnvironmentEntry::checksum

    template <typename T> T* as(uint64_t offset = 0) const { return reinterpret_cast<T*>(static_cast<uint8_t*>(address) + offset); }
    RingProducer producer() const { return {address, size}; }
    RingConsumer consumer() const { return {address, size}; }
};

/// Look-ups by name; a name is text or `Name("client.%u.tx", i)`. Those without `or` need the
/// entry: if it is missing or of another kind, that is logged (`environment.missing name=...`) and
/// the vCPU faults, so that the supervisor hears of it. Names of one beginning:
/// `environment.within(Name("client.%u.", i)).region("tx")`. Asked for in their own order, they are
/// found without a search.
class Environment {
public:
    explicit constexpr Environment(abi::EnvironmentHeader const* header) : header_(header) {}

    /// This partition's own.
    static Environment const& get();

    /// The entries whose names begin with this, by the rest of their names.
    Environment within(std::string_view beginning) const;

    bool has(std::string_view name) const { return find(name) != nullptr; }

    abi::Handle handle(std::string_view name) const;
    Region region(std::string_view name) const;
    uint64_t property(std::string_view name) const;
    std::string_view string(std::string_view name) const;

    /// 0 is never a valid handle.
    abi::Handle handle_or_none(std::string_view name) const;
    Region region_or_none(std::string_view name) const;
    uint64_t property_or(std::string_view name, uint64_t otherwise) const;
    std::string_view string_or(std::string_view name, std::string_view otherwise) const;

private:
    abi::EnvironmentEntry const* find(std::string_view name) const;
    abi::EnvironmentEntry const* find(std::string_view name, abi::EntryKind kind) const;
    abi::EnvironmentEntry const& need(std::string_view name, abi::EntryKind kind) const;
    std::string_view text(abi::EnvironmentEntry const& entry) const;

    abi::EnvironmentEntry const& entry(uint32_t n) const { return reinterpret_cast<abi::EnvironmentEntry const*>(header_ + 1)[n]; }

    abi::EnvironmentHeader const* header_;
    Name beginning_{""};
};

/// Logs that an entry is missing, and faults. On the host: aborts.
[[noreturn]] void missing(std::string_view name);

} // namespace service
