// SPDX-License-Identifier: MIT
// Reads and writes of the transport's registers.
#include "services/virtio/transport.hpp"

namespace virtio {
namespace {

constexpr uint32_t offset_of(Register reg) { return static_cast<uint32_t>(reg); }

/// The half of a 64-bit value that a selector or an address names.
uint32_t half(uint64_t value, uint32_t which) { return which > 1 ? 0 : static_cast<uint32_t>(value >> 32 * which); }

void set_half(uint64_t& word, uint32_t which, uint32_t value) {
    if (which > 1) { return; }
    uint64_t const mask = 0xffff'ffffull << 32 * which;
    __atomic_store_n(&word, (word & ~mask) | uint64_t{value} << 32 * which, __ATOMIC_RELAXED);
}

} // namespace

Transport::Transport(Identity const& identity, TransportState& state, QueueState* queues, GuestMemory const& memory)
    : identity_(identity), state_(&state), queue_states_(queues) {
    if (state.status == 0) { reset(); } // a former life may have been in the middle of it
    for (uint32_t number = 0; number < identity.queues; ++number) {
        auto& queue = queues_[number] = Queue(queues[number], memory);
        if (!queue.ready()) { continue; }
        if (!queue.open(event_index())) { // (it was right when the driver made it ready, and has not changed since)
            fail(queue.mistake());
            continue;
        }
        queue.publish();
        if ((state.status & status::driver_ok) != 0) { raise(interrupt::used); } // perhaps once more
    }
}

void Transport::reset() {
    set(state_->status, 0);
    for (uint32_t number = 0; number < identity_.queues; ++number) {
        auto& queue = queue_states_[number];
        queue.ready = queue.size = 0;
        queue.descriptors = queue.driver = queue.device = 0;
    }
    *state_ = {};
    mistake_ = {};
}

bool Transport::runs(uint32_t queue) const {
    constexpr uint32_t looked_at = status::features_ok | status::driver_ok | status::needs_reset;
    return (state_->status & looked_at) == (status::features_ok | status::driver_ok) && queues_[queue].ready();
}

void Transport::fail(std::string_view mistake) {
    if ((state_->status & status::needs_reset) != 0) { return; }
    mistake_ = mistake;
    set(state_->status, state_->status | status::needs_reset);
    if ((state_->status & status::driver_ok) != 0) { raise(interrupt::config); }
}

std::string_view Transport::take_mistake() {
    auto const taken = mistake_;
    mistake_ = {};
    return taken;
}

uint32_t Transport::read(uint32_t offset) const {
    switch (static_cast<Register>(offset)) {
    case Register::magic: return magic;
    case Register::version: return version;
    case Register::device_id: return identity_.device;
    case Register::vendor_id: return vendor;
    case Register::device_features: return half(identity_.features, state_->device_features_select);
    case Register::queue_size_max: return selected() != nullptr ? Queue::max_size : 0;
    case Register::queue_ready: return selected() != nullptr ? selected()->ready : 0;
    case Register::interrupt_status: return state_->interrupts;
    case Register::status: return state_->status;
    default: break;
    }
    constexpr uint32_t length = offset_of(Register::shared_memory_length);
    return offset == length || offset == length + 4 ? ~0u : 0; // there is no shared memory
}

Transport::Event Transport::write(uint32_t offset, uint32_t value) {
    switch (static_cast<Register>(offset)) {
    case Register::queue_notify:
        if (value < identity_.queues && runs(value)) { return {Event::Kind::notify, value}; }
        break;
    case Register::interrupt_ack: set(state_->interrupts, state_->interrupts & ~value); break;
    case Register::device_features_select: set(state_->device_features_select, value); break;
    case Register::driver_features_select: set(state_->driver_features_select, value); break;
    case Register::driver_features:
        if ((state_->status & status::features_ok) == 0) {
            set_half(state_->driver_features, state_->driver_features_select, value);
        }
        break;
    case Register::queue_select: set(state_->queue_select, value); break;
    case Register::status: return write_status(value);
    default:
        if (selected() != nullptr) { return write_queue(offset, value); }
    }
    return {};
}

/// A bit once set stays until the reset; FEATURES_OK only if the device can do with what the driver wants.
Transport::Event Transport::write_status(uint32_t value) {
    if (value == 0) {
        reset();
        return {Event::Kind::reset};
    }
    uint64_t const wanted = state_->driver_features;
    bool const agreed = (wanted & ~identity_.features) == 0 && (wanted & feature::version_1) != 0;
    uint32_t const before = state_->status;
    uint32_t next = before | (value & 0xff & ~status::needs_reset);
    if ((before & status::features_ok) == 0 && !agreed) { next &= ~status::features_ok; }
    set(state_->status, next);
    return {(next & ~before & status::driver_ok) != 0 ? Event::Kind::driver_ok : Event::Kind::none};
}

Transport::Event Transport::write_queue(uint32_t offset, uint32_t value) {
    auto& state = *selected();
    if (offset == offset_of(Register::queue_ready)) { return write_ready(state_->queue_select, (value & 1) != 0); }
    if (state.ready != 0) { return {}; } // where a queue is does not change under the device
    switch (static_cast<Register>(offset & ~4u)) {
    case Register::queue_descriptors: set_half(state.descriptors, offset >> 2 & 1, value); break;
    case Register::queue_driver: set_half(state.driver, offset >> 2 & 1, value); break;
    case Register::queue_device: set_half(state.device, offset >> 2 & 1, value); break;
    default:
        if (offset == offset_of(Register::queue_size)) { set(state.size, value); }
    }
    return {};
}

Transport::Event Transport::write_ready(uint32_t number, bool ready) {
    auto& state = queue_states_[number];
    auto& queue = queues_[number];
    if (ready == (state.ready != 0)) { return {}; }
    if (!ready) {
        set(state.ready, 0);
        return {Event::Kind::stopped, number};
    }
    queue.restart(queue.mark());
    if (queue.open(event_index())) {
        set(state.ready, 1);
    } else {
        fail(queue.mistake());
    }
    return {};
}

} // namespace virtio
