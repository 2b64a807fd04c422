// SPDX-License-Identifier: MIT
// Moves bytes between the driver's buffers and the rings.
#include "services/virtio-console/console.hpp"
#include <algorithm>
#include <utility>

namespace virtio_console {

using virtio::Chain;
using virtio::Queue;
using Event = virtio::Transport::Event;

Console::Console(State& state, virtio::GuestMemory const& memory, service::RingProducer tx, service::RingConsumer rx, Probe probe)
    : transport_({virtio::device_id::console, virtio::feature::version_1 | virtio::feature::event_index, queue_count},
                 state.transport, state.queues, memory),
      tx_(tx), rx_(rx), effects_(effect::line), probe_(probe) {
    rx_.set_tail(transport_.queue(receiveq).mark()); // what is committed may not have been taken out
    if (auto& queue = transport_.queue(transmitq); !queue.ready()) { queue.restart(tx_.own_head()); }
}

uint32_t Console::take_effects() {
    if (transport_.line() != line_) { effects_ |= effect::line; }
    line_ = transport_.line();
    if (transport_.mistaken()) { effects_ |= effect::mistake; }
    return std::exchange(effects_, 0);
}

void Console::reset() {
    transport_.reset();
    transport_.queue(receiveq).restart(rx_.head());
    transport_.queue(transmitq).restart(tx_.own_head());
    rx_.set_tail(transport_.queue(receiveq).mark());
    if (rx_.take_request_for_room()) { effects_ |= effect::wake; }
}

void Console::write(uint32_t offset, unsigned size, uint32_t value) {
    if (size != 4) { return; }
    auto const event = transport_.write(offset, value);
    switch (event.kind) {
    case Event::Kind::none: break;
    case Event::Kind::notify: serve(event.queue); break;
    case Event::Kind::driver_ok: pump(); break;
    case Event::Kind::stopped:
    case Event::Kind::reset:
        transport_.queue(transmitq).restart(tx_.own_head()); // what is left of a chain is the driver's
        break;
    }
}

void Console::pump() {
    later_ = false;
    serve(receiveq);
    serve(transmitq);
    interrupt(transmitq);
}

void Console::interrupt(uint32_t queue) {
    if (transport_.runs(queue) && transport_.queue(queue).wants_interrupt()) { transport_.raise(virtio::interrupt::used); }
}

void Console::serve(uint32_t queue) {
    take_chains(queue);
    if (!transport_.runs(queue) || !transport_.queue(queue).news()) { return; }
    if (queue == receiveq) {
        interrupt(queue);
    } else if (!later_) {
        later_ = true;
        effects_ |= effect::later;
    }
}

void Console::take_chains(uint32_t number) {
    auto& queue = transport_.queue(number);
    uint32_t looked_at = 0;
    while (transport_.runs(number) && !(number == receiveq && rx_.empty())) {
        if (looked_at >= descriptors_at_once) {
            effects_ |= effect::again;
            return;
        }
        Chain chain;
        switch (queue.take(chain)) {
        case Queue::Take::none: return;
        case Queue::Take::broken: refuse(queue.mistake()); return;
        case Queue::Take::chain: break;
        }
        if ((number == receiveq ? receive(chain) : send(chain)) == Done::nothing) { return; }
        looked_at += chain.looked_at();
    }
}

Console::Done Console::refuse(std::string_view mistake) {
    transport_.fail(mistake);
    return Done::nothing;
}

void Console::finish(uint32_t number, Chain const& chain, uint32_t written, uint32_t mark) {
    auto& queue = transport_.queue(number);
    queue.commit(chain, written, mark);
    at(number, Point::committed);
    queue.publish();
    at(number, Point::told);
}

/// As much of the chain as the ring has room for, without what went before.
Console::Done Console::send(Chain& chain) {
    auto& queue = transport_.queue(transmitq);
    uint32_t const begin = tx_.own_head();
    uint32_t sent_before = begin - queue.mark(), head = begin, room = tx_.free();
    bool full = false;
    Chain::Buffer buffer;
    auto next = Chain::Next::end;
    while (!full && (next = chain.next(buffer)) == Chain::Next::buffer) {
        if (buffer.device_writes) { return refuse("direction"); }
        uint32_t const skip = std::min(sent_before, buffer.size), count = std::min(buffer.size - skip, room);
        sent_before -= skip;
        tx_.store(head, {buffer.data + skip, count});
        head += count;
        room -= count;
        full = skip + count < buffer.size;
    }
    if (next == Chain::Next::broken) { return refuse(queue.mistake()); }
    at(transmitq, Point::copied);
    if (head != begin && tx_.publish(begin, head) == service::Wake::yes) { effects_ |= effect::wake; }
    at(transmitq, Point::sent);
    if (!full) {
        finish(transmitq, chain, 0, head);
        return Done::chain;
    }
    tx_.ask_for_room();
    if (tx_.free() >= tx_.capacity() / 2) { effects_ |= effect::again; } // it came before the question
    return Done::nothing;
}

/// As much of the input as the chain has room for.
Console::Done Console::receive(Chain& chain) {
    uint32_t const tail = rx_.own_tail(), there = rx_.used();
    uint32_t written = 0;
    Chain::Buffer buffer;
    auto next = Chain::Next::end;
    while (written < there && (next = chain.next(buffer)) == Chain::Next::buffer) {
        if (!buffer.device_writes) { return refuse("direction"); }
        uint32_t const count = std::min(buffer.size, there - written);
        rx_.copy(tail + written, {buffer.data, count});
        written += count;
    }
    if (next == Chain::Next::broken) { return refuse(transport_.queue(receiveq).mistake()); }
    at(receiveq, Point::copied);
    finish(receiveq, chain, written, tail + written);
    rx_.set_tail(tail + written);
    if (rx_.take_request_for_room()) { effects_ |= effect::wake; }
    return Done::chain;
}

} // namespace virtio_console
