// SPDX-License-Identifier: MIT
// Text in fixed buffers: numbers, environment names like "client.3.tx", logfmt lines.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace service {

/// A number that is written in hexadecimal, with 0x.
struct Hex {
    uint64_t value;
};

/// Text of at most N bytes; what does not fit is cut off, and `cut()` says so.
template <size_t N> class Text {
public:
    constexpr Text() = default;
    constexpr std::string_view view() const { return {data_, size_}; }
    constexpr operator std::string_view() const { return view(); }
    constexpr bool cut() const { return cut_; }
    constexpr size_t size() const { return size_; }
    constexpr void clear() { size_ = 0, cut_ = false; }

    constexpr Text& put(char character) {
        if (size_ < N) {
            data_[size_++] = character;
        } else {
            cut_ = true;
        }
        return *this;
    }

    constexpr Text& put(std::string_view text) {
        size_t const count = text.size() < N - size_ ? text.size() : N - size_;
        for (size_t n = 0; n < count; ++n) { data_[size_ + n] = text[n]; }
        size_ += count;
        cut_ |= count < text.size();
        return *this;
    }

    /// Decimal, at least `digits` digits.
    constexpr Text& put_number(uint64_t value, unsigned digits = 1) {
        char reversed[20] = {};
        unsigned count = 0;
        for (; value != 0; value /= 10) { reversed[count++] = static_cast<char>('0' + value % 10); }
        while (count < digits && count < sizeof(reversed)) { reversed[count++] = '0'; }
        while (count > 0) { put(reversed[--count]); }
        return *this;
    }

    constexpr Text& put_hex(uint64_t value) {
        put("0x");
        unsigned shift = 60;
        while (shift > 0 && (value >> shift) == 0) { shift -= 4; }
        for (;; shift -= 4) {
            put("0123456789abcdef"[value >> shift & 15]);
            if (shift == 0) { return *this; }
        }
    }

    /// Replaces each `%u` of the pattern by the next number.
    template <typename... Numbers> constexpr Text& put_pattern(std::string_view pattern, Numbers... numbers) {
        uint64_t const values[] = {static_cast<uint64_t>(numbers)..., 0};
        size_t next = 0;
        for (size_t i = 0; i < pattern.size(); ++i) {
            if (pattern[i] == '%' && i + 1 < pattern.size() && pattern[i + 1] == 'u' && next < sizeof...(Numbers)) {
                put_number(values[next++]);
                ++i;
            } else {
                put(pattern[i]);
            }
        }
        return *this;
    }

private:
    alignas(16) char data_[N] = {}; // so that the compiler copies it without a call
    size_t size_ = 0;
    bool cut_ = false;
};

/// The name of an environment entry, NULs behind it: `Name("client.%u.vcpu.%u", client, vcpu)`.
class Name : public Text<40> {
public:
    template <typename... Numbers> explicit constexpr Name(char const* pattern, Numbers... numbers) {
        put_pattern(pattern, numbers...);
    }
};

/// One `key=value` of a log line.
struct Field {
    enum class Kind : uint8_t { number, hex, text };
    std::string_view key;
    std::string_view text = {};
    uint64_t number = 0;
    Kind kind;

    template <typename Number>
    requires(std::is_integral_v<Number> || std::is_enum_v<Number>) constexpr Field(std::string_view name, Number value)
        : key(name), number(static_cast<uint64_t>(value)), kind(Kind::number) {}
    constexpr Field(std::string_view name, Hex value) : key(name), number(value.value), kind(Kind::hex) {}
    constexpr Field(std::string_view name, std::string_view value) : key(name), text(value), kind(Kind::text) {}
    constexpr Field(std::string_view name, char const* value) : Field(name, std::string_view(value)) {}
};

} // namespace service
