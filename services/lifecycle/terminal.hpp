// SPDX-License-Identifier: MIT
// The prompt's line on lifecycle's own stream: editing, echo, and keeping it apart from lines that
// are printed meanwhile.
#pragma once
#include "services/lifecycle/port.hpp"
#include <optional>
#include <string_view>

namespace lifecycle {

constexpr std::string_view prompt_text = "bulkhead> ";

class Terminal {
public:
    explicit Terminal(Port& port) : port_(port) {}

    /// Prints a whole line; a prompt that is on the screen is repeated below it, with what was
    /// typed.
    void print(std::string_view line);
    void show_prompt();
    /// Until show_prompt, nothing is repeated.
    void hide_prompt();
    /// Takes a byte from the keyboard. When it completes a line: that line, valid until the next
    /// key; the prompt is then hidden until show_prompt.
    std::optional<std::string_view> key(char c);

private:
    static constexpr size_t capacity = 80;

    bool in_escape_sequence(char c);
    void insert(char c);
    void erase(size_t count);
    std::string_view typed() const { return {line_, size_}; }

    Port& port_;
    bool shown_ = false;
    enum class Escape : uint8_t { none, started, bracket } escape_ = Escape::none;
    char previous_ = 0;
    char line_[capacity];
    size_t size_ = 0;
};

} // namespace lifecycle
