// SPDX-License-Identifier: MIT
// The machine's end: guests stop, the last line of the log is written and drained, the power goes
// off.
#pragma once
#include "services/lifecycle/journal.hpp"
#include "services/lifecycle/port.hpp"
#include "services/lifecycle/system.hpp"

namespace lifecycle {

class Ending {
public:
    Ending(Port& port, System& system, Terminal& terminal, Journal& journal)
        : port_(port), system_(system), terminal_(terminal), journal_(journal) {}

    bool begun() const { return begun_; }
    /// `partition`: whose policy it was, or empty.
    void begin(abi::OffReason reason, std::string_view partition = {});
    /// Once begun: does not return if the log is drained; else it is to be called again at the time
    /// returned.
    uint64_t step();

private:
    static constexpr unsigned max_tries = 5000; ///< of draining, one per millisecond

    Port& port_;
    System& system_;
    Terminal& terminal_;
    Journal& journal_;
    abi::OffReason reason_ = abi::OffReason::poweroff;
    bool begun_ = false;
    unsigned tries_ = 0;
};

} // namespace lifecycle
