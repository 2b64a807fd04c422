// SPDX-License-Identifier: MIT
// Says each wish of lifecycle as a hypercall, a ring access or an instruction.
#include "services/lifecycle/core_port.hpp"
#include "abi/checksum.hpp"
#include "services/lib/cpu.hpp"
#include "services/lib/hypercall.hpp"
#include "services/lifecycle/cache.hpp"
#include <algorithm>
#include <array>
#include <utility>

namespace lifecycle {

CorePort::CorePort(service::Environment const& environment)
    : self_(environment.handle("partition.self")),
      own_notification_(environment.property("cores") > 1 ? environment.handle("notify.lifecycle") : 0),
      console_(environment.handle_or_none("call.console")), console_notification_(environment.handle_or_none("console.notify")),
      console_signal_(1ull << (environment.property_or("log.signal", 0) & 63)),
      input_signal_(environment.has("input.signal") ? 1ull << (environment.property("input.signal") & 63) : 0),
      window_(environment.property("window")), window_size_(environment.property("window.size")),
      ctr_el0_(service::machine_statistics(0).ctr_el0), out_(environment.region("log").producer()) {
    const auto input = environment.region_or_none("input");
    if (input.address != nullptr) { in_ = input.consumer(); }
}

abi::Status CorePort::start(abi::Handle vcpu, Start const& where) {
    return service::vcpu_start(vcpu, where.entry, where.x0, where.x1, where.stack);
}

abi::Status CorePort::control(abi::Handle vcpu, abi::VcpuOperation operation) { return service::vcpu_control(vcpu, operation); }

VcpuStatus CorePort::status(abi::Handle vcpu) {
    const auto [status, words] = service::vcpu_read(vcpu, abi::VcpuGroup::status);
    if (status != abi::Status::ok) { return {}; }
    return {static_cast<abi::VcpuState>(words[0]), static_cast<abi::FaultReason>(words[1]), words[2], words[3], words[4], words[5]};
}

uint64_t CorePort::pc(abi::Handle vcpu) { return service::vcpu_read(vcpu, abi::VcpuGroup::pc).words[0]; }

std::optional<uint64_t> CorePort::exits(abi::Handle vcpu) {
    const auto answer = service::vcpu_read(vcpu, abi::VcpuGroup::exits);
    if (answer.status != abi::Status::ok) { return std::nullopt; }
    return answer.words[0];
}

std::span<uint8_t> CorePort::map(abi::Handle memory, uint64_t size) {
    if (size > window_size_) { return {}; }
    const auto status = service::map(self_, memory, window_, abi::access::read | abi::access::write);
    if (status != abi::Status::ok) { return {}; }
    return {reinterpret_cast<uint8_t*>(window_), size};
}

void CorePort::unmap(abi::Handle memory) { service::unmap(memory); }
void CorePort::zero(std::span<uint8_t> bytes) { zero_memory(bytes); }
void CorePort::clean(std::span<uint8_t> bytes) { clean_to_coherency(bytes, ctr_el0_); }

uint32_t CorePort::checksum(std::span<const uint8_t> bytes, uint32_t before) {
    return abi::crc32<service::crc32_step>(bytes.data(), bytes.size(), service::has_crc32(), before);
}

abi::Status CorePort::tell(abi::Handle endpoint, abi::client::Label label, uint32_t client, uint64_t word) {
    return service::call(endpoint, static_cast<uint16_t>(label), {{client, word}}).result();
}

abi::Status CorePort::flush() {
    if (!drain()) { return abi::Status::again; }
    if (console_ == 0) { return abi::Status::ok; }
    return service::call(console_, static_cast<uint16_t>(abi::console::Label::flush)).result();
}

void CorePort::off(abi::OffReason reason) { service::machine_off(reason); }
std::optional<uint64_t> CorePort::entropy() {
    uint64_t features, word, ready;
    asm("mrs %0, id_aa64isar0_el1" : "=r"(features));
    if (features >> 60 == 0) { return std::nullopt; }                                      // FEAT_RNG
    asm volatile("mrs %0, s3_3_c2_c4_1\n cset %1, ne" : "=r"(word), "=r"(ready) : : "cc"); // RNDRRS
    return ready != 0 ? std::optional(word) : std::nullopt;
}

namespace {

template <size_t n> uint64_t read_id_register() {
    uint64_t value;
    asm("mrs %0, s3_0_c0_c%c1_%c2" : "=r"(value) : "i"(n / 8), "i"(n % 8));
    return value;
}
template <size_t... n> constexpr auto id_readers(std::index_sequence<n...>) { return std::array{&read_id_register<n>...}; }

} // namespace

uint64_t CorePort::id_register(uint32_t encoding) {
    static constexpr auto readers = id_readers(std::make_index_sequence<64>()); // by CRm and op2
    return readers[(encoding >> 1 & 7) << 3 | (encoding >> 17 & 7)]();
}

uint64_t CorePort::ticks() { return service::now(); }
uint64_t CorePort::ticks_per_second() { return service::frequency(); }
void CorePort::wake() {
    if (service::vcpu_index() == 0) { return; } // it looks before it waits
    service::signal(own_notification_, 1ull << wake_signal);
}

void CorePort::write(std::string_view text) {
    for (const char c : text) {
        if (backlog_head_ - backlog_tail_ == backlog_size && !drain() && backlog_head_ - backlog_tail_ == backlog_size) {
            return; // console has stopped taking anything
        }
        backlog_[backlog_head_++ % backlog_size] = c;
    }
}

bool CorePort::drain() {
    const uint32_t size = std::min(out_.free(), backlog_head_ - backlog_tail_);
    if (size > 0) {
        const uint32_t head = out_.head();
        for (uint32_t n = 0; n < size; ++n) {
            out_.store(head + n, static_cast<uint8_t>(backlog_[(backlog_tail_ + n) % backlog_size]));
        }
        backlog_tail_ += size;
        if (out_.publish(head + size) == service::Wake::yes && console_notification_ != 0) {
            service::signal(console_notification_, console_signal_);
        }
    }
    return backlog_head_ == backlog_tail_;
}

std::optional<char> CorePort::read() {
    if (!in_.valid() || in_.empty()) { return std::nullopt; }
    const auto c = static_cast<char>(in_.peek()[0]);
    in_.consume(1);
    if (in_.take_request_for_room() && console_notification_ != 0) { service::signal(console_notification_, console_signal_); }
    return c;
}

} // namespace lifecycle
