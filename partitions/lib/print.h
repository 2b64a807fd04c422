// SPDX-License-Identifier: MIT
// Owns the guest's lines: `[seconds.micros] <guest>: text`, formatted without a heap, one at a
// time.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>

/// Each guest defines its name.
extern "C" [[gnu::visibility("hidden")]] const char guest_name[];

namespace guest {

/// One value for a line: a number or a text.
struct Argument {
    template <std::integral Number> Argument(Number value) : number(static_cast<uint64_t>(value)) {
        if constexpr (std::signed_integral<Number>) negative = value < 0;
    }
    Argument(const char* value) : text(value) {}

    const char* text = nullptr;
    uint64_t number = 0;
    bool negative = false;
};

void print_arguments(const char* format, const Argument* arguments, size_t count);

/// Prints one line. `{}` is the next value, `{x}` the next number in hexadecimal. Any CPU may call.
template <typename... Values> void print(const char* format, Values... values) {
    const Argument arguments[] = {Argument(values)..., Argument("")};
    print_arguments(format, arguments, sizeof...(values));
}

/// What the user has typed of a line and must stay visible below the line that is printed.
void keep_below(const char* typed);

} // namespace guest
