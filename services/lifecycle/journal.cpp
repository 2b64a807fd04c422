// SPDX-License-Identifier: MIT
// Formats and remembers lifecycle's events.
#include "services/lifecycle/journal.hpp"

namespace lifecycle {

void Journal::event_of(std::string_view source, std::string_view event, Fields fields) {
    auto& line = lines_[count_++ % kept];
    line = service::format_log_line(port_.microseconds(port_.ticks()), source, event, fields);
    terminal_.print(line.view());
}

} // namespace lifecycle
