// SPDX-License-Identifier: MIT
// The partition's log: `[seconds.micros] source: event key=value ...` lines into the ring that the
// console prints.
#pragma once
#include "services/lib/text.hpp"
#include <initializer_list>

namespace service {

using LogLine = Text<400>;

/// The text of one line, without its newline. Values that hold blanks, quotes or control characters
/// are quoted.
LogLine format_log_line(uint64_t time_us, std::string_view source, std::string_view event, std::initializer_list<Field> fields);

/// Writes one line in one piece, or drops it when the ring is full or the other vCPUs keep it busy:
/// it never waits. What was dropped is counted and told by a line `log.dropped n=...` when there is
/// room again.
///     log("vm.start", {{"vm", name}, {"load_us", 12}, {"entry", Hex{entry}}});
void log(std::string_view event, std::initializer_list<Field> fields = {});

/// The same, in another's name: lifecycle says `machine: off reason=...`.
void log_as(std::string_view source, std::string_view event, std::initializer_list<Field> fields = {});

} // namespace service
