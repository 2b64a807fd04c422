// SPDX-License-Identifier: MIT
// The core's small vocabulary: address types that do not mix, results that travel in two registers, and the two macros TRY and
// ASSERT.
#pragma once
#include "abi/status.hpp"
#include <compare>
#include <cstddef>
#include <cstdint>

namespace bulkhead {

using abi::Status;

/// An address of one space; those of different spaces do not mix.
template <class Space> struct Address {
    uint64_t value = 0;
    // NOLINTNEXTLINE(modernize-use-nullptr): the 0 is the compiler's
    constexpr auto operator<=>(const Address&) const = default;
    constexpr Address operator+(uint64_t offset) const { return {value + offset}; }
};
using PhysAddr = Address<struct PhysicalSpace>; ///< in the machine's physical address space
using GuestAddr = Address<struct GuestSpace>;   ///< intermediate physical: what a partition (or a guest's stage 1) sees as physical

constexpr uint64_t page_size = 4096;
constexpr uint64_t page_mask = page_size - 1;
constexpr uint64_t ipa_limit = 1ull << 39; ///< three levels of 4 KiB tables
constexpr bool page_aligned(uint64_t value) { return (value & page_mask) == 0; }

/// A value or the status that says why there is none. Trivially copyable: returned in x0 and x1.
template <class T> struct [[nodiscard]] Result {
    T value_;
    Status status_;
    constexpr Result(T value) : value_(value), status_(Status::ok) {}
    constexpr Result(Status status) : value_{}, status_(status) {}
    constexpr bool ok() const { return status_ == Status::ok; }
    constexpr Status status() const { return status_; }
    constexpr T& value() { return value_; }
};

constexpr Status status_of(Status status) { return status; }
constexpr void value_of(Status) {}
template <class T> constexpr Status status_of(const Result<T>& result) { return result.status(); }
template <class T> constexpr T& value_of(Result<T>& result) { return result.value(); }

/// Evaluates to the value, if any, or returns the status to the caller.
#define TRY(expression)                                                                                                            \
    ({                                                                                                                             \
        auto try_result = (expression);                                                                                            \
        if (status_of(try_result) != Status::ok) [[unlikely]] { return status_of(try_result); }                                    \
        value_of(try_result);                                                                                                      \
    })

[[noreturn]] void panic(const char* violated, const char* file, unsigned line);

/// A broken invariant of the core itself ends the machine; it is never a way to treat bad input.
#define ASSERT(condition)                                                                                                          \
    do {                                                                                                                           \
        if (!(condition)) [[unlikely]] { ::bulkhead::panic("\"" #condition "\"", __builtin_FILE(), __LINE__); }                    \
    } while (false)

} // namespace bulkhead
