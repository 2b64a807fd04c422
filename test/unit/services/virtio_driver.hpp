// SPDX-License-Identifier: MIT
// A VirtIO console between a driver and the console's ring ends, as the host tests play them. The guest's RAM is a piece of the
// heap, so that the sanitizers see whatever lies beside it.
#pragma once
#include "services/virtio-console/console.hpp"
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

struct Killed {}; ///< thrown in the middle of an operation, as if the service had been killed there

struct Driver {
    using Register = virtio::Register;
    using Console = virtio_console::Console;
    static constexpr uint64_t ram_base = 0x4000'0000;
    static constexpr uint32_t ram_size = 0x1'0000;
    static constexpr uint32_t queue_step = 0x2000, data = 0x8000; ///< offsets in the RAM
    static constexpr uint64_t wanted = virtio::feature::version_1 | virtio::feature::event_index;

    explicit Driver(uint32_t ring_capacity = 1024)
        : ram(ram_size / 8), tx_memory((ring_capacity + 128) / 8), rx_memory((ring_capacity + 128) / 8),
          state(new virtio_console::State()), console_tx(tx_memory.data(), ring_capacity + 128),
          console_rx(rx_memory.data(), ring_capacity + 128) {
        restart();
    }

    /// A new life of the service over the same state, rings and RAM.
    void restart() {
        device = Console(*state, {ram.data(), ram_base, ram_size}, {tx_memory.data(), tx_memory.size() * 8},
                         {rx_memory.data(), rx_memory.size() * 8}, probe);
        run([](Console& console) { console.pump(); });
    }
    /// Whatever the service does; its owner's part comes after it.
    template <typename Operation> void run(Operation const& operation) {
        operation(device);
        effects |= device.take_effects();
        while ((effects & virtio_console::effect::again) != 0) {
            effects &= ~virtio_console::effect::again;
            device.pump();
            effects |= device.take_effects();
        }
    }
    /// The deadline that the service asked for passes.
    void wait() {
        if (took(virtio_console::effect::later)) {
            run([](Console& console) { console.pump(); });
        }
    }

    uint32_t read(uint32_t offset) const { return device.read(offset, 4); }
    uint32_t read(Register reg) const { return read(static_cast<uint32_t>(reg)); }
    void write(uint32_t offset, uint32_t value) {
        run([&](Console& console) { console.write(offset, 4, value); });
    }
    void write(Register reg, uint32_t value) { write(static_cast<uint32_t>(reg), value); }

    /// Up to FEATURES_OK.
    void negotiate(uint64_t features = wanted) {
        using namespace virtio;
        write(Register::status, 0);
        write(Register::status, status::acknowledge);
        write(Register::status, status::acknowledge | status::driver);
        for (uint32_t half = 0; half < 2; ++half) {
            write(Register::driver_features_select, half);
            write(Register::driver_features, static_cast<uint32_t>(features >> 32 * half));
        }
        event_index = (features & feature::event_index) != 0;
        write(Register::status, read(Register::status) | status::features_ok);
    }
    void set_up(uint32_t queue, uint32_t size) {
        uint64_t const at = ram_base + queue * queue_step;
        sizes[queue] = size;
        next_free[queue] = added[queue] = reaped[queue] = 0;
        memset(bytes(queue * queue_step), 0, queue_step);
        write(Register::queue_select, queue);
        write(Register::queue_size, size);
        put_address(Register::queue_descriptors, at);
        put_address(Register::queue_driver, at + driver_area);
        put_address(Register::queue_device, at + device_area);
        write(Register::queue_ready, 1);
    }
    void put_address(Register reg, uint64_t address) {
        write(static_cast<uint32_t>(reg), static_cast<uint32_t>(address));
        write(static_cast<uint32_t>(reg) + 4, static_cast<uint32_t>(address >> 32));
    }
    void begin(uint32_t size = 8, uint64_t features = wanted) {
        negotiate(features);
        set_up(0, size);
        set_up(1, size);
        write(Register::status, read(Register::status) | virtio::status::driver_ok);
    }

    // The driver's end of the queues.
    static constexpr uint32_t driver_area = 0x1000, device_area = 0x1800;
    uint8_t* bytes(uint32_t offset) { return reinterpret_cast<uint8_t*>(ram.data()) + offset; }
    template <typename T> T& at(uint32_t offset) { return *reinterpret_cast<T*>(bytes(offset)); }
    virtio::Descriptor& descriptor(uint32_t queue, uint32_t index) {
        return at<virtio::Descriptor>(queue * queue_step + index * 16);
    }
    virtio::Available& available(uint32_t queue) { return at<virtio::Available>(queue * queue_step + driver_area); }
    uint16_t& available_head(uint32_t queue, uint32_t index) {
        return at<uint16_t>(queue * queue_step + driver_area + 4 + index % sizes[queue] * 2);
    }
    virtio::Used& used(uint32_t queue) { return at<virtio::Used>(queue * queue_step + device_area); }
    uint16_t& used_event(uint32_t queue) { return at<uint16_t>(queue * queue_step + driver_area + 4 + sizes[queue] * 2); }
    uint16_t& available_event(uint32_t queue) { return at<uint16_t>(queue * queue_step + device_area + 4 + sizes[queue] * 8); }

    struct Part {
        uint32_t offset;
        uint32_t length;
        bool device_writes = false;
    };
    /// A chain of parts of the RAM; its head.
    uint16_t add(uint32_t queue, std::vector<Part> const& parts) {
        uint32_t const size = sizes[queue];
        auto const head = static_cast<uint16_t>(next_free[queue] % size);
        for (size_t n = 0; n < parts.size(); ++n) {
            auto const index = next_free[queue]++ % size;
            uint16_t const flags = static_cast<uint16_t>((n + 1 < parts.size() ? 1 : 0) | (parts[n].device_writes ? 2 : 0));
            descriptor(queue, index) = {ram_base + parts[n].offset, parts[n].length, flags,
                                        static_cast<uint16_t>((index + 1) % size)};
        }
        available_head(queue, added[queue]++) = head;
        available(queue).index = added[queue];
        return head;
    }
    /// Puts text into the RAM, as parts of these lengths and the rest.
    std::vector<Part> text(std::string const& text, std::vector<uint32_t> const& lengths = {}) {
        std::vector<Part> parts;
        memcpy(bytes(data), text.data(), text.size());
        uint32_t done = 0;
        for (uint32_t const length : lengths) {
            parts.push_back({data + done, length});
            done += length;
        }
        parts.push_back({data + done, static_cast<uint32_t>(text.size()) - done});
        return parts;
    }
    void kick(uint32_t queue) { write(Register::queue_notify, queue); }
    void send(std::string const& what) {
        add(1, text(what));
        kick(1);
    }
    /// What the device has used since the last look.
    std::vector<virtio::UsedElement> reap(uint32_t queue) {
        std::vector<virtio::UsedElement> found;
        for (; reaped[queue] != used(queue).index; ++reaped[queue]) {
            found.push_back(at<virtio::UsedElement>(queue * queue_step + device_area + 4 + reaped[queue] % sizes[queue] * 8));
        }
        if (event_index) { used_event(queue) = reaped[queue]; }
        return found;
    }
    /// Acknowledges the interrupts; which there were.
    uint32_t take_interrupts() {
        uint32_t const there = read(Register::interrupt_status);
        write(Register::interrupt_ack, there);
        return there;
    }

    // The console's ends of the rings.
    std::string take(size_t count = ~size_t{0}) {
        std::string text;
        take(text, count);
        return text;
    }
    void take(std::string& text, size_t count) {
        for (; count > 0 && !console_tx.empty(); --count) {
            text += static_cast<char>(console_tx.peek()[0]);
            console_tx.consume(1);
        }
        if (console_tx.used() <= console_tx.capacity() / 2 && console_tx.take_request_for_room()) {
            run([](Console& console) { console.pump(); });
        }
    }
    bool type(std::string const& text) {
        service::Wake wake;
        if (!console_rx.write({reinterpret_cast<uint8_t const*>(text.data()), text.size()}, wake)) { return false; }
        run([](Console& console) { console.pump(); });
        return true;
    }
    bool took(uint32_t effect) {
        bool const there = (effects & effect) != 0;
        effects &= ~effect;
        return there;
    }

    std::vector<uint64_t> ram, tx_memory, rx_memory;
    std::unique_ptr<virtio_console::State> state;
    service::RingConsumer console_tx;
    service::RingProducer console_rx;
    Console device;
    Console::Probe probe = nullptr;
    uint32_t effects = 0;
    bool event_index = false;
    std::array<uint32_t, 2> sizes{}, next_free{};
    std::array<uint16_t, 2> added{}, reaped{};
};
