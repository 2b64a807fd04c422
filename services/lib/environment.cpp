// SPDX-License-Identifier: MIT
// Look-up in the environment page: a binary search over entries that the packer sorted.
#include "services/lib/environment.hpp"

namespace service {

abi::EnvironmentEntry const* Environment::find(std::string_view name) const {
    auto const* entries = reinterpret_cast<abi::EnvironmentEntry const*>(header_ + 1);
    uint32_t first = 0;
    uint32_t last = header_->count;
    while (first < last) {
        uint32_t const middle = first + (last - first) / 2;
        int const order = std::string_view(entries[middle].name).compare(name);
        if (order == 0) { return &entries[middle]; }
        if (order < 0) {
            first = middle + 1;
        } else {
            last = middle;
        }
    }
    return nullptr;
}

abi::EnvironmentEntry const* Environment::find(std::string_view name, abi::EntryKind kind) const {
    auto const* entry = find(name);
    return entry != nullptr && entry->kind == kind ? entry : nullptr;
}

abi::EnvironmentEntry const& Environment::need(std::string_view name, abi::EntryKind kind) const {
    auto const* entry = find(name, kind);
    if (entry == nullptr) { missing(name); }
    return *entry;
}

std::string_view Environment::text(abi::EnvironmentEntry const& entry) const {
    return {reinterpret_cast<char const*>(header_) + entry.value, entry.size};
}

abi::Handle Environment::handle(std::string_view name) const { return need(name, abi::EntryKind::handle).value; }

Region Environment::region(std::string_view name) const {
    auto const& entry = need(name, abi::EntryKind::region);
    return {reinterpret_cast<void*>(entry.value), entry.size};
}

uint64_t Environment::property(std::string_view name) const { return need(name, abi::EntryKind::property).value; }

std::string_view Environment::string(std::string_view name) const { return text(need(name, abi::EntryKind::string)); }

abi::Handle Environment::handle_or_none(std::string_view name) const {
    auto const* entry = find(name, abi::EntryKind::handle);
    return entry != nullptr ? entry->value : 0;
}

Region Environment::region_or_none(std::string_view name) const {
    auto const* entry = find(name, abi::EntryKind::region);
    return entry != nullptr ? Region{reinterpret_cast<void*>(entry->value), entry->size} : Region{};
}

uint64_t Environment::property_or(std::string_view name, uint64_t otherwise) const {
    auto const* entry = find(name, abi::EntryKind::property);
    return entry != nullptr ? entry->value : otherwise;
}

std::string_view Environment::string_or(std::string_view name, std::string_view otherwise) const {
    auto const* entry = find(name, abi::EntryKind::string);
    return entry != nullptr ? text(*entry) : otherwise;
}

} // namespace service
