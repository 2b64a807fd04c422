// SPDX-License-Identifier: MIT
// How a system register is described: a type, its fields as typed constants; an oversized constant or a field of another register
// does not compile. Nothing here touches hardware.
#pragma once
#include <cstdint>

namespace bulkhead {

void field_value_too_large(); // never defined: calling it in a constant expression is the error message

/// The contents of register R.
template <class R> struct Value {
    uint64_t bits = 0;
    constexpr Value operator|(Value other) const { return {bits | other.bits}; }
    constexpr bool operator==(const Value&) const = default;
    template <class F> constexpr Value with(F, uint64_t value) const {
        static_assert(F::template belongs_to<R>);
        // NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): it holds a shifted zero for undefined
        return {(bits & ~F::mask) | (value << F::shift & F::mask)};
    }
    template <class F> constexpr uint64_t get(F) const {
        static_assert(F::template belongs_to<R>);
        return (bits & F::mask) >> F::shift;
    }
};

/// A field of register R: `width` bits from bit `lsb`.
template <class R, unsigned lsb, unsigned width = 1> struct Field {
    static constexpr unsigned shift = lsb;
    static constexpr uint64_t mask = (width == 64 ? ~0ull : (1ull << width) - 1) << lsb;
    template <class Other> static constexpr bool belongs_to = __is_same(R, Other);
    consteval Value<R> operator()(uint64_t value) const {
        if (width < 64 && value >> width != 0) { field_value_too_large(); }
        return {value << lsb};
    }
};

/// Base of R: gives it the short name F for its fields.
template <class R> struct Fields { template <unsigned lsb, unsigned width = 1> using F = Field<R, lsb, width>; };

} // namespace bulkhead
