// SPDX-License-Identifier: MIT
// The device's end of a split virtqueue in a guest's memory. The guest may be hostile: what it wrote is read once, checked, and
// bounded; a mistake is named and hurts nobody else. Chains are used in the order in which they come.
//
// One store commits a chain: `QueueState::progress`, how many chains have been used together with a mark of the device's own, by
// which it knows how far the stream beside the queue had come (a ring's position). So a service that is killed anywhere goes on
// where it was: what came before that store is done again, to the same memory, and what follows from it is told again.
#pragma once
#include "services/virtio/memory.hpp"
#include "services/virtio/registers.hpp"
#include <string_view>

namespace virtio {

/// In the state region. Zeroed memory is a queue that nobody has set up.
struct QueueState {
    uint64_t progress;    ///< chains used, modulo 2^16, in the low half, the device's mark in the high half
    uint64_t descriptors; ///< addresses in the guest
    uint64_t driver;
    uint64_t device;
    uint32_t size;
    uint32_t ready;
};

class Queue;

/// A chain of descriptors that the driver made available.
class Chain {
public:
    struct Buffer {
        uint8_t* data;
        uint32_t size;
        bool device_writes;
    };
    enum class Next : uint8_t { buffer, end, broken };

    /// The next buffer, all of it RAM. Those that the device writes come last.
    Next next(Buffer& buffer);
    uint16_t head() const { return head_; }
    uint32_t looked_at() const { return looked_at_; } ///< descriptors

private:
    friend class Queue;
    Queue* queue_ = nullptr;
    uint16_t head_ = 0;
    uint16_t next_ = 0;
    uint32_t looked_at_ = 0;
    uint32_t bytes_ = 0; ///< in them
    bool more_ = false;
    bool writes_ = false;
};

class Queue {
public:
    static constexpr uint32_t max_size = 256;

    constexpr Queue() = default;
    Queue(QueueState& state, GuestMemory const& memory) : state_(&state), memory_(memory) {}

    /// Finds the queue where the driver has put it. False: it cannot be there.
    bool open(bool event_index);
    bool ready() const { return state_->ready != 0; }

    enum class Take : uint8_t { none, chain, broken };
    /// The next chain; the same one until it is committed. If there is none the driver will notify the device of the next one.
    Take take(Chain& chain);
    /// The chain is done, `written` bytes of it by the device: the committing store. publish() must follow.
    void commit(Chain const& chain, uint32_t written, uint32_t mark);
    /// Tells the driver what is committed; again is harmless.
    void publish() { __atomic_store_n(&device_->index, used(), __ATOMIC_RELEASE); }
    /// Something was used since the last question for an interrupt ...
    bool news() const { return used() != asked_; }
    /// ... of which the driver wants to hear. What it has found by itself meanwhile is not.
    bool wants_interrupt();

    uint32_t mark() const { return static_cast<uint32_t>(state_->progress >> 32); }
    /// Nothing is used, and the stream beside it stands here.
    void restart(uint32_t mark) { set_progress(0, mark); }

    /// What the driver did wrong last.
    std::string_view mistake() const { return mistake_; }

private:
    friend class Chain;
    uint16_t used() const { return static_cast<uint16_t>(state_->progress); }
    void set_progress(uint16_t used, uint32_t mark) {
        __atomic_store_n(&state_->progress, uint64_t{mark} << 32 | used, __ATOMIC_RELAXED);
    }

    QueueState* state_ = nullptr;
    GuestMemory memory_;
    Descriptor const* descriptors_ = nullptr;
    Available const* available_ = nullptr;
    uint16_t const* heads_ = nullptr;
    Used* device_ = nullptr;
    UsedElement* elements_ = nullptr;
    uint16_t const* used_event_ = nullptr; ///< nullptr: not in use, as the next one
    uint16_t* available_event_ = nullptr;
    uint32_t mask_ = 0;
    uint16_t asked_ = 0;
    std::string_view mistake_;
};

} // namespace virtio
