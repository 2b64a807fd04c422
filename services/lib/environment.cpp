// SPDX-License-Identifier: MIT
// Look-up in the environment page: a binary search over entries that the packer sorted.
#include "services/lib/environment.hpp"
#include <atomic>

namespace service {

namespace {

/// Behind what was found last: a hint, for all vCPUs.
constinit std::atomic<uint32_t> expected{0};

/// An entry's name by eight bytes, as it lies there: NULs fill it up.
using Word [[gnu::may_alias]] = uint64_t;
constexpr unsigned words = sizeof(abi::EnvironmentEntry::name) / sizeof(Word);

/// <0, 0, >0: how the packer sorted the two.
int order(char const* one, char const* other) {
#pragma GCC unroll 5
    for (unsigned n = 0; n < words; ++n) {
        Word const a = reinterpret_cast<Word const*>(one)[n], b = reinterpret_cast<Word const*>(other)[n];
        if (a != b) { return __builtin_bswap64(a) < __builtin_bswap64(b) ? -1 : 1; }
    }
    return 0;
}

} // namespace

Environment Environment::within(std::string_view beginning) const {
    Environment found = *this;
    found.beginning_.put(beginning);
    return found;
}

abi::EnvironmentEntry const* Environment::find(std::string_view name) const {
    Name whole = beginning_;
    whole.put(name);
    char const* const key = whole.view().data();
    uint32_t first = 0, last = header_->count;
    for (uint32_t look = expected.load(std::memory_order_relaxed); first < last; look = first + (last - first) / 2) {
        if (look >= last) { continue; }
        int const way = order(entry(look).name, key);
        if (way == 0) {
            expected.store(look + 1, std::memory_order_relaxed);
            return &entry(look);
        }
        (way < 0 ? first : last) = way < 0 ? look + 1 : look;
    }
    return nullptr;
}

abi::EnvironmentEntry const* Environment::find(std::string_view name, abi::EntryKind kind) const {
    auto const* entry = find(name);
    return entry != nullptr && entry->kind == kind ? entry : nullptr;
}

abi::EnvironmentEntry const& Environment::need(std::string_view name, abi::EntryKind kind) const {
    auto const* entry = find(name, kind);
    if (entry == nullptr) { missing(Name(beginning_).put(name)); }
    return *entry;
}

std::string_view Environment::text(abi::EnvironmentEntry const& entry) const {
    return {reinterpret_cast<char const*>(header_) + entry.value, entry.size};
}

abi::Handle Environment::handle(std::string_view name) const { return need(name, abi::EntryKind::handle).value; }

Region Environment::region(std::string_view name) const {
    auto const& entry = need(name, abi::EntryKind::region);
    return {reinterpret_cast<void*>(entry.value), entry.size, entry.checksum};
}

uint64_t Environment::property(std::string_view name) const { return need(name, abi::EntryKind::property).value; }

std::string_view Environment::string(std::string_view name) const { return text(need(name, abi::EntryKind::string)); }

abi::Handle Environment::handle_or_none(std::string_view name) const {
    auto const* entry = find(name, abi::EntryKind::handle);
    return entry != nullptr ? entry->value : 0;
}

Region Environment::region_or_none(std::string_view name) const {
    auto const* entry = find(name, abi::EntryKind::region);
    return entry != nullptr ? Region{reinterpret_cast<void*>(entry->value), entry->size, entry->checksum} : Region{};
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
