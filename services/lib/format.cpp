// SPDX-License-Identifier: MIT
// The text of a log line (logfmt). Without hardware, so that host tests cover it.
#include "services/lib/log.hpp"

namespace service {
namespace {

bool plain(char character) {
    return character > ' ' && character != '"' && character != '=' && character != '\\' && character != 0x7f;
}

void put_text(LogLine& line, std::string_view text) {
    bool bare = !text.empty();
    for (char character : text) { bare = bare && plain(character); }
    if (bare) {
        line.put(text);
        return;
    }
    line.put('"');
    for (char character : text) {
        switch (character) {
        case '\n': line.put("\\n"); break;
        case '\r': line.put("\\r"); break;
        case '\t': line.put("\\t"); break;
        case '"':
        case '\\': line.put('\\').put(character); break;
        default: line.put(static_cast<unsigned char>(character) < ' ' ? '?' : character);
        }
    }
    line.put('"');
}

} // namespace

LogLine format_log_line(uint64_t time_us, std::string_view source, std::string_view event, std::initializer_list<Field> fields) {
    LogLine line;
    line.put('[').put_number(time_us / 1'000'000).put('.').put_number(time_us % 1'000'000, 6);
    line.put("] ").put(source).put(": ").put(event);
    for (Field const& field : fields) {
        line.put(' ').put(field.key).put('=');
        switch (field.kind) {
        case Field::Kind::number: line.put_number(field.number); break;
        case Field::Kind::hex: line.put_hex(field.number); break;
        case Field::Kind::text: put_text(line, field.text); break;
        }
    }
    return line;
}

} // namespace service
