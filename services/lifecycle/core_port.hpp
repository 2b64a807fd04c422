// SPDX-License-Identifier: MIT
// The port to the real core: hypercalls, the own stream's rings, cache maintenance.
#pragma once
#include "abi/protocol/console.hpp"
#include "services/lib/environment.hpp"
#include "services/lifecycle/port.hpp"

namespace lifecycle {

class CorePort final : public Port {
public:
    explicit CorePort(service::Environment const& environment);

    abi::Status start(abi::Handle vcpu, Start const& where) override;
    abi::Status control(abi::Handle vcpu, abi::VcpuOperation operation) override;
    VcpuStatus status(abi::Handle vcpu) override;
    uint64_t pc(abi::Handle vcpu) override;
    std::optional<uint64_t> exits(abi::Handle vcpu) override;
    uint64_t id_register(uint32_t encoding) override;
    std::span<uint8_t> map(abi::Handle memory, uint64_t size) override;
    void unmap(abi::Handle memory) override;
    void zero(std::span<uint8_t> bytes) override;
    void clean(std::span<uint8_t> bytes) override;
    uint32_t checksum(std::span<const uint8_t> bytes, uint32_t before) override;
    abi::Status tell(abi::Handle endpoint, abi::client::Label label, uint32_t client, uint64_t word) override;
    abi::Status flush() override;
    void off(abi::OffReason reason) override;
    std::optional<uint64_t> entropy() override;
    uint64_t ticks() override;
    uint64_t ticks_per_second() override;
    void write(std::string_view text) override;
    void wake() override;

    /// The bit of the own notification by which wake() reaches vCPU 0.
    static constexpr unsigned wake_signal = 62;

    /// The next byte of the keyboard.
    std::optional<char> read();
    bool is_input(uint64_t signals) const { return (signals & input_signal_) != 0; }

    /// Moves what was written into the ring as far as there is room. True: all of it.
    bool drain();

private:
    static constexpr uint32_t backlog_size = 16384;

    abi::Handle self_;
    abi::Handle own_notification_;
    abi::Handle console_;
    abi::Handle console_notification_;
    uint64_t console_signal_;
    uint64_t input_signal_;
    uint64_t window_;
    uint64_t window_size_;
    uint64_t ctr_el0_; ///< of the cores, which are of one kind
    service::RingProducer out_;
    service::RingConsumer in_;
    uint32_t backlog_head_ = 0, backlog_tail_ = 0; ///< bytes ever put in and taken out
    char backlog_[backlog_size];
};

} // namespace lifecycle
