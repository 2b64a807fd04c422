// SPDX-License-Identifier: MIT
// The model of a VirtIO console (VirtIO 1.2, 5.3) with one port: receiveq and transmitq over the two rings to and from `console`. It
// touches no hardware: what its owner must do is left in `effects()`.
//
// A buffer of the driver's is done when all of it is in the ring: while the ring is full it stays in the queue. Input stays in its
// ring until the driver has a buffer for it. So no byte is lost in either direction; none comes twice either, though the service be
// killed anywhere: each queue's mark (services/virtio/queue.hpp) is the ring's position behind the last chain that is done, and the
// distance of the ring's head from transmitq's mark is how much of the next one has gone already.
//
// All state that outlives a restart is in `State`, for which zeroed memory is a console after reset. The caller holds the client's
// lock, except for read().
#pragma once
#include "services/lib/ring.hpp"
#include "services/virtio/transport.hpp"

namespace virtio_console {

enum QueueNumber : uint32_t { receiveq = 0, transmitq = 1, queue_count = 2 };

struct State {
    virtio::TransportState transport;
    virtio::QueueState queues[queue_count];
};

/// What the owner must do after an operation.
namespace effect {
constexpr uint32_t line = 1;     ///< the interrupt line changed: line()
constexpr uint32_t wake = 2;     ///< signal the console
constexpr uint32_t again = 4;    ///< there is more to do: pump() soon
constexpr uint32_t later = 8;    ///< pump() when the driver has had time to find by itself what it may want an interrupt for
constexpr uint32_t mistake = 16; ///< the driver made one: take_mistake()
} // namespace effect

/// Where a test may kill the service: the bytes of a chain are copied, are in the ring (out only), the chain is committed, the driver
/// is told.
enum class Point : uint32_t { copied, sent, committed, told };

class Console {
public:
    /// Descriptors that one operation looks at before others get their turn; a chain that was begun is gone through to its end.
    static constexpr uint32_t descriptors_at_once = 256;
    using Probe = void (*)(uint32_t queue, Point point);

    constexpr Console() = default;
    /// Goes on with what `state` holds; pump() must follow.
    Console(State& state, virtio::GuestMemory const& memory, service::RingProducer tx, service::RingConsumer rx,
            Probe probe = nullptr);

    /// Registers are words; what else a guest reads is 0, what else it writes nowhere.
    uint32_t read(uint32_t offset, unsigned size) const { return size == 4 ? transport_.read(offset) : 0; }
    void write(uint32_t offset, unsigned size, uint32_t value);

    /// A ring moved, or there is more to do.
    void pump();
    /// As after power-on; unread input is dropped.
    void reset();

    bool line() const { return transport_.line(); }
    uint32_t take_effects();
    std::string_view take_mistake() { return transport_.take_mistake(); }

private:
    enum class Done : uint8_t { chain, nothing };

    void serve(uint32_t queue);
    void take_chains(uint32_t queue);
    void interrupt(uint32_t queue);
    Done send(virtio::Chain& chain);
    Done receive(virtio::Chain& chain);
    void finish(uint32_t queue, virtio::Chain const& chain, uint32_t written, uint32_t mark);
    Done refuse(std::string_view mistake);
    void at(uint32_t queue, Point point) const {
        if (probe_ != nullptr) { probe_(queue, point); }
    }

    virtio::Transport transport_;
    service::RingProducer tx_;
    service::RingConsumer rx_;
    uint32_t effects_ = 0;
    bool line_ = false;  ///< as the owner knows it
    bool later_ = false; ///< the owner was asked for that
    Probe probe_ = nullptr;
};

} // namespace virtio_console
