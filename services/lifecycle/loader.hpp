// SPDX-License-Identifier: MIT
// Makes a VM pristine: resets its services, zeroes its RAM, copies its payloads and checks them; in steps, so that calls are
// served in between.
#pragma once
#include "services/lifecycle/port.hpp"
#include "services/lifecycle/system.hpp"

namespace lifecycle {

class Loader {
public:
    enum class Progress : uint8_t {
        more,  ///< call step() again at once
        later, ///< a service cannot be reset just now: again in a millisecond
        done,
        failed, ///< see failure()
    };
    struct Failure {
        std::string_view reason;
        Payload const* damaged = nullptr; ///< if that is why; its bytes' checksum is
        uint32_t checksum = 0;
    };

    Loader(Port& port, service::Random& random) : port_(port), random_(random) {}

    Vm* vm() const { return vm_; }
    /// The VM's vCPUs are off.
    void begin(Vm& vm);
    Progress step();
    /// Ends the work on vm(), done or not.
    void end();
    /// Frees the window for another use; the next step takes it again.
    void release();

    uint64_t microseconds() const { return port_.microseconds(port_.ticks() - started_); }
    /// Bytes of payloads that were copied to RAM since begin().
    uint64_t copied() const { return copied_; }
    Failure const& failure() const { return failure_; }

private:
    static constexpr uint64_t step_bytes = 1 << 20;
    static constexpr uint64_t seed_header = 12; ///< FDT_PROP token, length, name
    static constexpr unsigned max_tries = 2000; ///< of a reset, one per millisecond

    bool take_window();
    uint64_t zero(uint64_t room);
    uint64_t copy(Payload const& payload, uint64_t room);
    bool check(Payload const& payload);
    Progress reset_services();
    bool payloads_fit() const;
    void fill_seeds();

    Port& port_;
    service::Random& random_;
    Vm* vm_ = nullptr;
    std::span<uint8_t> window_;
    uint64_t zeroed_ = 0;       ///< RAM below it is done
    unsigned payload_ = 0;      ///< next to be copied
    uint64_t payload_done_ = 0; ///< bytes of it
    uint32_t checksum_ = 0;     ///< of them
    unsigned service_ = 0;      ///< next to be reset
    unsigned tries_ = 0;
    uint64_t started_ = 0;
    uint64_t copied_ = 0;
    Failure failure_;
};

} // namespace lifecycle
