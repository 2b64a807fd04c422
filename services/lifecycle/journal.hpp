// SPDX-License-Identifier: MIT
// lifecycle's lines of the log (docs/log.md), and the last of them for the prompt's `log`.
#pragma once
#include "services/lib/log.hpp"
#include "services/lifecycle/port.hpp"
#include "services/lifecycle/terminal.hpp"

namespace lifecycle {

class Journal {
public:
    using Fields = std::initializer_list<service::Field>;

    Journal(Port& port, Terminal& terminal) : port_(port), terminal_(terminal) {}

    void event(std::string_view event, Fields fields = {}) { event_of("lifecycle", event, fields); }
    void event_of(std::string_view source, std::string_view event, Fields fields);

    /// The lines still remembered, oldest first.
    template <class Function> void for_each(Function&& function) const {
        for (size_t n = count_ > kept ? count_ - kept : 0; n < count_; ++n) { function(lines_[n % kept].view()); }
    }

private:
    static constexpr size_t kept = 32;

    Port& port_;
    Terminal& terminal_;
    service::LogLine lines_[kept];
    size_t count_ = 0;
};

} // namespace lifecycle
