// SPDX-License-Identifier: MIT
// Line editing: printable keys, backspace, Ctrl-U, Ctrl-C, Enter; escape sequences of function keys
// are swallowed.
#include "services/lifecycle/terminal.hpp"

namespace lifecycle {

void Terminal::print(std::string_view line) {
    if (shown_) { port_.write("\n"); }
    port_.write(line);
    port_.write("\n");
    if (shown_) {
        port_.write(prompt_text);
        port_.write(typed());
    }
}

void Terminal::show_prompt() {
    size_ = 0;
    shown_ = true;
    port_.write(prompt_text);
}

void Terminal::hide_prompt() {
    if (shown_) { port_.write("\n"); }
    shown_ = false;
    size_ = 0;
}

bool Terminal::in_escape_sequence(char c) {
    constexpr char escape = 0x1b;
    switch (escape_) {
    case Escape::none:
        if (c == escape) { escape_ = Escape::started; }
        return c == escape;
    case Escape::started: escape_ = c == '[' || c == 'O' ? Escape::bracket : Escape::none; return escape_ == Escape::bracket;
    case Escape::bracket:
        if (c >= 0x40 && c <= 0x7e) { escape_ = Escape::none; } // the final byte
        return true;
    }
    return false;
}

void Terminal::insert(char c) {
    if (size_ == capacity) {
        port_.write("\a");
        return;
    }
    line_[size_++] = c;
    port_.write({&c, 1});
}

void Terminal::erase(size_t count) {
    for (; count > 0 && size_ > 0; --count, --size_) { port_.write("\b \b"); }
}

std::optional<std::string_view> Terminal::key(char c) {
    constexpr char ctrl_c = 0x03, ctrl_h = 0x08, ctrl_u = 0x15, del = 0x7f;
    const bool second_of_crlf = c == '\n' && previous_ == '\r';
    previous_ = c;
    if (second_of_crlf || in_escape_sequence(c)) { return std::nullopt; }
    if (!shown_) { show_prompt(); }
    switch (c) {
    case '\r':
    case '\n': {
        port_.write("\n");
        const auto line = typed();
        shown_ = false;
        size_ = 0;
        return line;
    }
    case ctrl_c:
        port_.write("^C\n");
        show_prompt();
        break;
    case ctrl_u: erase(size_); break;
    case ctrl_h:
    case del: erase(1); break;
    default:
        if (c >= 0x20 && c < 0x7f) { insert(c); }
    }
    return std::nullopt;
}

} // namespace lifecycle
