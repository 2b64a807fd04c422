// SPDX-License-Identifier: MIT
// Walks what the driver made available, and gives it back.
#include "services/virtio/queue.hpp"
#include "services/lib/ring.hpp"

namespace virtio {

using service::load_once;

bool Queue::open(bool event_index) {
    auto const& s = *state_;
    mistake_ = "queue";
    if (s.size == 0 || s.size > max_size || (s.size & (s.size - 1)) != 0) { return false; }
    if (s.descriptors % 16 != 0 || s.driver % 2 != 0 || s.device % 4 != 0) { return false; }
    auto* const descriptors = memory_.at(s.descriptors, s.size * sizeof(Descriptor));
    auto* const driver = memory_.at(s.driver, sizeof(Available) + (s.size + 1) * sizeof(uint16_t));
    auto* const device = memory_.at(s.device, sizeof(Used) + s.size * sizeof(UsedElement) + sizeof(uint16_t));
    if (descriptors == nullptr || driver == nullptr || device == nullptr) { return false; }
    descriptors_ = reinterpret_cast<Descriptor const*>(descriptors);
    available_ = reinterpret_cast<Available const*>(driver);
    heads_ = reinterpret_cast<uint16_t const*>(available_ + 1);
    device_ = reinterpret_cast<Used*>(device);
    elements_ = reinterpret_cast<UsedElement*>(device_ + 1);
    used_event_ = event_index ? heads_ + s.size : nullptr;
    available_event_ = event_index ? reinterpret_cast<uint16_t*>(elements_ + s.size) : nullptr;
    mask_ = s.size - 1;
    asked_ = used();
    return true;
}

Queue::Take Queue::take(Chain& chain) {
    auto const count = [&] { return static_cast<uint16_t>(__atomic_load_n(&available_->index, __ATOMIC_ACQUIRE) - used()); };
    uint16_t waiting = count();
    if (waiting == 0 && available_event_ != nullptr) {
        __atomic_store_n(available_event_, used(), __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_SEQ_CST); // the driver stores its index, then looks here
        waiting = count();
    }
    if (waiting == 0) { return Take::none; }
    uint16_t const head = load_once(heads_[used() & mask_]);
    if (waiting > state_->size || head > mask_) {
        mistake_ = waiting > state_->size ? "index" : "head";
        return Take::broken;
    }
    chain.queue_ = this;
    chain.head_ = chain.next_ = head;
    chain.looked_at_ = chain.bytes_ = 0;
    chain.more_ = true;
    chain.writes_ = false;
    return Take::chain;
}

Chain::Next Chain::next(Buffer& buffer) {
    if (!more_) { return Next::end; }
    auto const broken = [&](std::string_view mistake) {
        queue_->mistake_ = mistake;
        return Next::broken;
    };
    if (next_ > queue_->mask_) { return broken("next"); }
    if (looked_at_ > queue_->mask_) { return broken("loop"); } // none comes twice
    ++looked_at_;
    auto const& descriptor = queue_->descriptors_[next_];
    uint16_t const flags = load_once(descriptor.flags);
    buffer.size = load_once(descriptor.length);
    buffer.data = queue_->memory_.at(load_once(descriptor.address), buffer.size);
    buffer.device_writes = (flags & Descriptor::device_writes) != 0;
    if (buffer.data == nullptr) { return broken("address"); }
    if (buffer.size > ~0u - bytes_) { return broken("length"); }
    bytes_ += buffer.size;
    if ((flags & Descriptor::indirect) != 0) { return broken("indirect"); }
    if (writes_ && !buffer.device_writes) { return broken("order"); }
    writes_ = buffer.device_writes;
    next_ = load_once(descriptor.next);
    more_ = (flags & Descriptor::next_follows) != 0;
    return Next::buffer;
}

void Queue::commit(Chain const& chain, uint32_t written, uint32_t mark) {
    elements_[used() & mask_] = {chain.head_, written};
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    set_progress(static_cast<uint16_t>(used() + 1), mark);
}

bool Queue::wants_interrupt() {
    auto const fresh = static_cast<uint16_t>(used() - asked_);
    asked_ = used();
    __atomic_thread_fence(__ATOMIC_SEQ_CST); // the driver says what it wants, then looks at the index
    if (used_event_ != nullptr) { return static_cast<uint16_t>(used() - load_once(*used_event_) - 1) < fresh; }
    return fresh != 0 && (load_once(available_->flags) & Available::no_interrupt) == 0;
}

} // namespace virtio
