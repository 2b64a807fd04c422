// SPDX-License-Identifier: MIT
// Owns the GICv3: distributor, this CPU's redistributor and CPU interface, and who handles an
// INTID.
#pragma once

#include <cstdint>

namespace guest {

class Gic {
public:
    using Handler = void (*)();
    static constexpr uint32_t max_intid = 128;

    /// Once, on CPU 0: all SPIs off, group 1, routed to CPU 0.
    void start_distributor(uint64_t distributor);
    /// On each CPU: finds its redistributor, wakes it; false if there is none for this affinity.
    bool start_cpu(uint64_t redistributors, uint64_t size);
    /// Sets the handler of this CPU (SPIs: of CPU 0) and enables; false if the INTID is too high.
    bool enable(uint32_t intid, Handler handler);
    void disable(uint32_t intid);
    /// Sends SGI `intid` to the CPU with this affinity.
    void send_sgi(uint32_t intid, uint64_t affinity);
    /// Acknowledges, handles and completes what is pending. From the IRQ vector only.
    void dispatch();

private:
    uint64_t bank(uint32_t intid) const;
    void wait_for_writes(uint64_t control) const;

    uint64_t distributor_ = 0;
    uint64_t redistributor_[2] = {};
    Handler handler_[2][max_intid] = {};
};

Gic& gic();

} // namespace guest
