// SPDX-License-Identifier: MIT
// Exactly once: remembers, in the state region, the last request of each vCPU of a client, so that
// a request that is delivered again after this service was killed is answered and not done twice.
//
// An operation that must not be done twice ends in one committing store that changes a 32-bit
// position (a ring's head or tail, a count of changes). With the client's lock held:
//     if (m.repeated) if (auto* done = journal.done(m)) return Answer::advance(done->answer);
//     journal.begin(m, point, position, answer);   // before the committing store
//     ... the committing store: the position changes ...
// After a restart, before anything is served: journal.recover(position_of), which forgets what
// began and was not committed. Whatever follows from the committed state (flags, interrupt lines,
// signals to others) is brought up to date then, too.
#pragma once
#include "services/lib/message.hpp"
#include <cstdint>

namespace service {

struct JournalEntry {
    uint64_t answer;
    uint32_t before;   ///< the position before the last request begun
    uint32_t point;    ///< which position: the service's own numbering
    uint64_t sequence; ///< that request's; 0: none, as the first one is 1
    uint64_t reserved;
};

/// Zeroed memory is an empty journal. One operation of a client at a time.
template <unsigned vcpus> class Journal {
public:
    /// The request's entry if it was committed before. Needed only for a request that says
    /// `repeated`.
    JournalEntry const* done(Request const& request) const {
        auto const& entry = entries_[request.vcpu];
        return entry.sequence == request.sequence ? &entry : nullptr;
    }

    /// The committing store comes next.
    [[gnu::always_inline]] void begin(Request const& request, uint32_t point, uint32_t before) {
        auto& entry = entries_[request.vcpu];
        entry.before = before;
        entry.point = point;
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        entry.sequence = request.sequence;
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
    }
    /// The same for a request whose answer says more than that it was done.
    void begin(Request const& request, uint32_t point, uint32_t before, uint64_t answer) {
        entries_[request.vcpu].answer = answer;
        begin(request, point, before);
    }

    /// `position_of(point)` gives a position as it is now. Only the operation in progress can have
    /// left its position as it was; all earlier ones were committed.
    template <typename PositionOf> void recover(PositionOf position_of) {
        for (auto& entry : entries_) {
            if (entry.sequence != 0 && position_of(entry.point) == entry.before) { entry.sequence = 0; }
        }
    }

    /// The client starts afresh.
    void clear() {
        for (auto& entry : entries_) { entry = {}; }
    }

private:
    JournalEntry entries_[vcpus];
};

} // namespace service
