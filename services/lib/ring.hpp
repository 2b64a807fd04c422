// SPDX-License-Identifier: MIT
// The two ends of an abi::RingHeader ring. Positions come from the other side and are believed only
// within the capacity.
#pragma once
#include "abi/ring.hpp"
#include <cstddef>
#include <cstdint>
#include <span>

namespace service {

/// A plain load of what others store, once and here. (GCC gives __atomic_load_n no offset addressing.)
template <typename T> [[gnu::always_inline]] inline T load_once(T const& object) {
    return *static_cast<T const volatile*>(&object);
}

/// What both ends share: where the header and the data are. A default-made end has no memory and is
/// neither used nor valid.
class Ring {
public:
    constexpr Ring() = default;
    Ring(void* memory, uint64_t size)
        : header_(static_cast<abi::RingHeader*>(memory)), data_(static_cast<uint8_t*>(memory) + sizeof(abi::RingHeader)),
          mask_(abi::ring_capacity(size) - 1) {}

    bool valid() const { return header_ != nullptr; }
    uint32_t capacity() const { return mask_ + 1; }
    uint32_t head() const { return __atomic_load_n(&header_->head, __ATOMIC_ACQUIRE); }
    uint32_t tail() const { return __atomic_load_n(&header_->tail, __ATOMIC_ACQUIRE); }

    /// Bytes between two positions, at most the capacity.
    uint32_t used(uint32_t head, uint32_t tail) const {
        uint32_t count = head - tail;
        return count <= capacity() ? count : capacity();
    }
    uint32_t used() const { return used(head(), tail()); }
    uint8_t at(uint32_t position) const { return data_[position & mask_]; }

protected:
    /// Of `count` bytes from a position, those before the end of the data.
    size_t in_one_piece(uint32_t position, size_t count) const {
        size_t const to_end = capacity() - (position & mask_);
        return count < to_end ? count : to_end;
    }

    abi::RingHeader* header_ = nullptr;
    uint8_t* data_ = nullptr;
    uint32_t mask_ = 0;
};

/// What a producer must do after it published.
enum class Wake : bool { no = false, yes = true };

class RingProducer : public Ring {
public:
    using Ring::Ring;

    /// The producer's own position.
    uint32_t own_head() const { return header_->head; }
    uint32_t free() const { return capacity() - used(); }

    /// Stores a byte ahead of the published ones, `ahead` bytes behind the head; publish() makes it
    /// visible.
    void store(uint32_t position, uint8_t byte) { data_[position & mask_] = byte; }
    void store(uint32_t position, std::span<uint8_t const> bytes) {
        size_t const first = in_one_piece(position, bytes.size());
        __builtin_memcpy(data_ + (position & mask_), bytes.data(), first);
        __builtin_memcpy(data_, bytes.data() + first, bytes.size() - first);
    }

    /// Makes everything up to `head` visible: the one committing store. Wake::yes: the consumer had
    /// taken all that was there before and may sleep, so signal it.
    Wake publish(uint32_t head) { return publish(header_->head, head); }
    /// The same by a producer that knows its own position.
    Wake publish(uint32_t before, uint32_t head) {
        auto* const header = header_;
        __atomic_store_n(&header->head, head, __ATOMIC_RELEASE);
        // The consumer stores its tail, then looks at the head. (STLR and LDAR would do by the architecture, but not in QEMU 7.2 on x86.)
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        return Wake{load_once(header->tail) == before};
    }

    /// How far bytes are stored one by one without a look at the room: the producer has seen it, and it can only grow.
    void set_limit(uint32_t position) { limit_ = position; }
    bool at_limit(uint32_t position) const { return position == limit_; }

    /// Writes all of `bytes` or nothing.
    bool write(std::span<uint8_t const> bytes, Wake& wake) {
        wake = Wake::no;
        if (bytes.size() > free()) { return false; }
        uint32_t head = header_->head;
        store(head, bytes);
        if (!bytes.empty()) { wake = publish(head + static_cast<uint32_t>(bytes.size())); }
        return true;
    }

    /// Asks the consumer for a signal when there is room. Look at free() again afterwards: room may
    /// have come meanwhile.
    void ask_for_room() {
        __atomic_store_n(&header_->waiting, 1, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    }
    bool asked_for_room() const { return __atomic_load_n(&header_->waiting, __ATOMIC_RELAXED) != 0; }

private:
    uint32_t limit_ = 0;
};

class RingConsumer : public Ring {
public:
    using Ring::Ring;

    /// The consumer's own position.
    uint32_t own_tail() const { return header_->tail; }
    bool empty() const { return used() == 0; }

    /// The bytes that lie in one piece at the tail (not all, if they wrap).
    std::span<uint8_t const> peek() const {
        uint32_t const position = header_->tail;
        return {data_ + (position & mask_), in_one_piece(position, used(head(), position))};
    }
    /// Copies bytes that are there.
    void copy(uint32_t position, std::span<uint8_t> to) const {
        size_t const first = in_one_piece(position, to.size());
        __builtin_memcpy(to.data(), data_ + (position & mask_), first);
        __builtin_memcpy(to.data() + first, data_, to.size() - first);
    }

    /// Gives `count` bytes back: the one committing store.
    void consume(uint32_t count) { set_tail(header_->tail + count); }
    void set_tail(uint32_t tail) {
        __atomic_store_n(&header_->tail, tail, __ATOMIC_RELEASE);
        __atomic_thread_fence(__ATOMIC_SEQ_CST); // before the next look at the head, and at `waiting`
    }

    /// True once after a producer asked for room: signal it.
    bool take_request_for_room() {
        if (__atomic_load_n(&header_->waiting, __ATOMIC_RELAXED) == 0) { return false; }
        __atomic_store_n(&header_->waiting, 0, __ATOMIC_RELAXED);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        return true;
    }
};

} // namespace service
