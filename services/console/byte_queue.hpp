// SPDX-License-Identifier: MIT
// A bounded queue of bytes on their way to the PL011. Zeroed memory is an empty queue; it may lie
// in the state region.
#pragma once
#include <cstdint>
#include <string_view>

namespace console {

class ByteQueue {
public:
    static constexpr uint32_t capacity = 2048;

    uint32_t size() const { return head_ - tail_; }
    uint32_t room() const { return capacity - size(); }
    /// Bytes ever put and taken, modulo 2^32.
    uint32_t written() const { return head_; }
    uint32_t sent() const { return tail_; }
    bool empty() const { return head_ == tail_; }

    /// There must be room.
    void put(uint8_t byte) {
        data_[head_ % capacity] = byte;
        head_ = head_ + 1;
    }
    void put(std::string_view text) {
        for (char character : text) { put(static_cast<uint8_t>(character)); }
    }

    /// It must not be empty.
    uint8_t front() const { return data_[tail_ % capacity]; }
    void pop() { tail_ = tail_ + 1; }

    /// False if memory that outlived a restart holds nonsense.
    bool sane() const { return size() <= capacity; }
    void clear() { head_ = tail_ = 0; }

private:
    uint32_t head_;
    uint32_t tail_;
    uint8_t data_[capacity];
};

} // namespace console
