// SPDX-License-Identifier: MIT
// How a system register is described: a type, and its fields, which are constants of it; an oversized constant or a field of another register
// does not compile. Nothing here touches hardware.
#pragma once
#include <cstdint>

namespace bulkhead {

void field_value_too_large(); // never defined: calling it in a constant expression is the error message

template <class R> struct Field;

/// The contents of register R.
template <class R> struct Value {
    uint64_t bits = 0;
    constexpr Value operator|(Value other) const { return {bits | other.bits}; }
    constexpr bool operator==(const Value&) const = default;
    [[gnu::always_inline]] constexpr Value with(Field<R> field, uint64_t value) const {
        return {(bits & ~field.mask) | (value << field.shift & field.mask)};
    }
    constexpr uint64_t get(Field<R> field) const { return (bits & field.mask) >> field.shift; }
};

/// A field of register R: `width` bits from bit `lsb`.
template <class R> struct Field {
    unsigned shift;
    uint64_t mask;
    consteval Field(unsigned lsb, unsigned width = 1) : shift(lsb), mask(~0ull >> (64 - width) << lsb) {}
    consteval Value<R> operator()(uint64_t value) const {
        if (value > mask >> shift) { field_value_too_large(); }
        return {value << shift};
    }
};

/// Base of R: gives it the short name F for its fields.
template <class R> struct Fields { using F = Field<R>; };

} // namespace bulkhead
