// SPDX-License-Identifier: MIT
// The registers of a VirtIO device behind MMIO (VirtIO 1.2, 4.2), and its queues. It touches no hardware. Every write can be done
// twice: a request that is repeated after a restart of the service needs no journal. (A driver acknowledges an interrupt before it
// looks at the queues, or it could lose one on any machine.)
//
// A driver's mistake in a queue leads to DEVICE_NEEDS_RESET, and nothing is done for it until it resets the device.
#pragma once
#include "services/virtio/queue.hpp"

namespace virtio {

/// In the state region. Zeroed memory is a device after reset.
struct TransportState {
    uint32_t status;
    uint32_t interrupts;
    uint64_t driver_features;
    uint32_t device_features_select;
    uint32_t driver_features_select;
    uint32_t queue_select;
    uint32_t reserved;
};

/// What a device is.
struct Identity {
    uint32_t device;
    uint64_t features; ///< that it offers
    uint32_t queues;   ///< at most max_queues
};
constexpr uint32_t max_queues = 2;

class Transport {
public:
    constexpr Transport() = default;
    /// Goes on with what the states hold, one for each queue.
    Transport(Identity const& identity, TransportState& state, QueueState* queues, GuestMemory const& memory);
    Queue& queue(uint32_t number) { return queues_[number]; }

    uint32_t read(uint32_t offset) const;

    /// What a write is to the device.
    struct Event {
        enum class Kind : uint8_t { none, notify, driver_ok, stopped, reset };
        Kind kind = Kind::none;
        uint32_t queue = 0; ///< of `notify` and `stopped`
    };
    Event write(uint32_t offset, uint32_t value);

    /// As after power-on. What the device keeps with its queues' progress is its own matter.
    void reset();

    /// Chains of this queue can be taken.
    bool runs(uint32_t queue) const;
    void raise(uint32_t interrupts) { set(state_->interrupts, state_->interrupts | interrupts); }
    bool line() const { return state_->interrupts != 0; }

    /// The driver made a mistake: the device stands still until its next reset.
    void fail(std::string_view mistake);
    bool mistaken() const { return !mistake_.empty(); }
    /// What it was, once.
    std::string_view take_mistake();

private:
    bool event_index() const { return (state_->driver_features & feature::event_index) != 0; }
    QueueState* selected() const {
        return state_->queue_select < identity_.queues ? queue_states_ + state_->queue_select : nullptr;
    }
    static void set(uint32_t& word, uint32_t value) { __atomic_store_n(&word, value, __ATOMIC_RELAXED); }
    Event write_status(uint32_t value);
    Event write_queue(uint32_t offset, uint32_t value);
    Event write_ready(uint32_t queue, bool ready);

    Identity identity_{};
    TransportState* state_ = nullptr;
    QueueState* queue_states_ = nullptr;
    Queue queues_[max_queues];
    std::string_view mistake_;
};

} // namespace virtio
