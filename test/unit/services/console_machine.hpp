// SPDX-License-Identifier: MIT
// Streams with rings in memory, and a queue that the host tests read as a terminal or a tool would.
#pragma once
#include "services/console/byte_queue.hpp"
#include "services/console/stream.hpp"
#include <deque>
#include <memory>
#include <string>
#include <vector>

struct Machine {
    static constexpr size_t ring_size = 4096;

    explicit Machine(std::vector<std::string> stream_names) : names(std::move(stream_names)) {
        for (auto const& name : names) {
            auto& out = memory.emplace_back(ring_size / 8);
            auto& in = memory.emplace_back(ring_size / 8);
            unsigned const id = ++streams.count;
            streams[id].name = name;
            streams[id].out = {out.data(), ring_size};
            if (name != "core") { streams[id].in = {in.data(), ring_size}; }
            producers.emplace_back(out.data(), ring_size);
            consumers.emplace_back(in.data(), ring_size);
        }
        queue->clear();
    }

    /// A partition prints.
    bool say(unsigned id, std::string const& text) {
        service::Wake wake;
        return producers[id - 1].write({reinterpret_cast<uint8_t const*>(text.data()), text.size()}, wake);
    }

    /// What a partition finds in its input ring.
    std::string heard(unsigned id) {
        std::string text;
        auto& in = consumers[id - 1];
        while (!in.empty()) {
            text += static_cast<char>(in.peek()[0]);
            in.consume(1);
        }
        return text;
    }

    /// What the PL011 would send.
    std::string drain(size_t count = ~size_t{0}) {
        std::string text;
        while (!queue->empty() && text.size() < count) {
            text += static_cast<char>(queue->front());
            queue->pop();
        }
        return text;
    }

    std::vector<std::string> names;
    std::deque<std::vector<uint64_t>> memory;
    std::vector<service::RingProducer> producers;
    std::vector<service::RingConsumer> consumers;
    console::Streams streams;
    std::unique_ptr<console::ByteQueue> queue = std::make_unique<console::ByteQueue>();
};
