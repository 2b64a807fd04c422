// SPDX-License-Identifier: MIT
// Merges the streams into lines for a terminal.
#include "services/console/text.hpp"
#include "services/lib/text.hpp"

namespace console {
namespace {

constexpr std::string_view colours[] = {"\x1b[36m", "\x1b[33m", "\x1b[32m", "\x1b[35m", "\x1b[34m",
                                        "\x1b[96m", "\x1b[93m", "\x1b[92m", "\x1b[95m", "\x1b[94m"};
constexpr std::string_view plain = "\x1b[0m";
constexpr std::string_view erase_line = "\r\x1b[K";
constexpr unsigned surely_one_row = 60; ///< an unfinished line below this did not wrap: it can be erased

} // namespace

void TextOutput::put_tag(unsigned id) {
    auto const name = streams_[id].name.substr(0, name_width);
    queue_.put(colours[id % (sizeof(colours) / sizeof(colours[0]))]);
    queue_.put(name);
    for (size_t i = name.size(); i < name_width; ++i) { queue_.put(' '); }
    queue_.put("| ");
    queue_.put(plain);
}

void TextOutput::end_line() {
    queue_.put("\r\n");
    owner_ = 0;
}

/// Gets the cursor to the start of a line: an unfinished line of the focused stream comes again
/// later, so it is erased.
void TextOutput::put_aside() {
    if (owner_ == 0) { return; }
    if (owner_ == streams_.focus && unfinished_size_ < surely_one_row) {
        queue_.put(erase_line);
        owner_ = 0;
    } else {
        end_line();
    }
}

void TextOutput::begin_line(unsigned id) {
    if (owner_ == id) { return; }
    put_aside();
    put_tag(id);
    owner_ = id;
}

void TextOutput::restore_focused() {
    if (unfinished_size_ == 0 || owner_ == streams_.focus) { return; }
    begin_line(streams_.focus);
    queue_.put(std::string_view(unfinished_, unfinished_size_));
}

/// Of a long line the end is kept.
void TextOutput::remember(uint8_t byte) {
    if (unfinished_size_ == memory) {
        for (unsigned i = 0; i < memory / 2; ++i) { unfinished_[i] = unfinished_[i + memory / 2]; }
        unfinished_size_ = memory / 2;
    }
    unfinished_[unfinished_size_++] = static_cast<char>(byte);
}

void TextOutput::focused_byte(uint8_t byte) {
    restore_focused();
    if (byte == '\n') {
        begin_line(streams_.focus);
        queue_.put(plain);
        end_line();
        unfinished_size_ = 0;
        carriage_return_ = false;
        return;
    }
    if (carriage_return_ && byte != '\r') { // back to the start of the line, behind the tag
        carriage_return_ = false;
        unfinished_size_ = 0;
        begin_line(streams_.focus);
        queue_.put('\r');
        put_tag(streams_.focus);
    }
    if (byte == '\r') {
        carriage_return_ = true;
        return;
    }
    begin_line(streams_.focus);
    queue_.put(byte);
    remember(byte);
}

bool TextOutput::pump_focused() {
    auto& out = streams_[streams_.focus].out;
    auto const bytes = out.peek();
    uint32_t count = 0;
    while (count < bytes.size() && count < longest_line && has_room()) { focused_byte(bytes[count++]); }
    if (count == 0) { return false; }
    out.consume(count);
    streams_.made_room(streams_.focus);
    return true;
}

void TextOutput::print_other(unsigned id, std::string_view line, bool ended) {
    bool coloured = false;
    begin_line(id);
    for (char character : line) {
        if (character == '\r') { continue; }
        if (character == '\x1b') { coloured = true; }
        queue_.put(static_cast<uint8_t>(character));
    }
    if (coloured) { queue_.put(plain); }
    if (ended || unfinished_size_ > 0) { end_line(); }
}

bool TextOutput::pump_other(unsigned id, uint64_t now_us, bool all) {
    auto& out = streams_[id].out;
    uint32_t const there = out.used();
    uint32_t const tail = out.own_tail();
    char line[longest_line];
    uint32_t size = 0;
    bool ended = false;
    while (size < there && size < longest_line && !ended) {
        uint8_t const byte = out.at(tail + size);
        ended = byte == '\n';
        line[size++] = static_cast<char>(byte);
    }
    if (size == 0) { return false; }
    uint64_t& since = waits_since_us_[id];
    if (!ended && size < longest_line && !all) {
        if (since == 0) { since = now_us; }
        if (now_us - since < patience_us) { return false; }
    }
    since = 0;
    print_other(id, {line, size - (ended ? 1 : 0)}, ended);
    out.consume(size);
    streams_.made_room(id);
    return true;
}

bool TextOutput::pump(uint64_t now_us, bool all) {
    bool moved = false;
    looked_us_ = now_us;
    unsigned const first = last_;
    for (unsigned step = 0; step < streams_.count && has_room(); ++step) {
        unsigned const id = (first + step) % streams_.count + 1;
        if (id == streams_.focus ? pump_focused() : pump_other(id, now_us, all)) {
            last_ = id;
            moved = true;
        }
    }
    if (!moved && has_room()) { restore_focused(); } // once, when the others have said all
    return moved;
}

/// The rest of a waiting line comes without a signal, since its producer sees that its ring was not empty: look for it.
uint64_t TextOutput::due_us() const {
    uint64_t due = never_us;
    for (unsigned id = 1; id <= streams_.count; ++id) {
        uint64_t const since = waits_since_us_[id];
        if (since == 0) { continue; }
        uint64_t const end = since + patience_us;
        uint64_t const look = looked_us_ + look_again_us;
        uint64_t const next = look < end ? look : end;
        due = next < due ? next : due;
    }
    return due;
}

void TextOutput::focus_moved() {
    if (owner_ != 0) { end_line(); }
    unfinished_size_ = 0;
    carriage_return_ = false;
    waits_since_us_[streams_.focus] = 0; // it does not wait any more
    service::Text<64> text;
    text.put("keyboard: ").put(streams_[streams_.focus].name);
    if (!streams_[streams_.focus].in.valid()) { text.put(" (takes no input)"); }
    notice(text);
}

void TextOutput::notice(std::string_view text) {
    if (queue_.room() < worst_case + text.size()) { return; }
    put_aside();
    queue_.put("\x1b[7m");
    queue_.put(text);
    queue_.put(plain);
    end_line();
    restore_focused();
}

void TextOutput::list() {
    service::Text<256> text;
    text.put("streams:");
    for (unsigned id = 1; id <= streams_.count; ++id) { text.put(' ').put_number(id).put('=').put(streams_[id].name); }
    notice(text);
}

} // namespace console
