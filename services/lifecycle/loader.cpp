// SPDX-License-Identifier: MIT
// The steps of loading a VM. What is written is cleaned to memory while it is in the cache.
#include "services/lifecycle/loader.hpp"
#include "abi/checksum.hpp"
#include <algorithm>

namespace lifecycle {

void Loader::begin(Vm& vm) {
    vm_ = &vm;
    zeroed_ = vm.used ? 0 : vm.ram_size;
    payload_done_ = copied_ = 0;
    payload_ = service_ = tries_ = 0;
    checksum_ = 0;
    started_ = port_.ticks();
}

void Loader::end() {
    release();
    vm_ = nullptr;
}

void Loader::release() {
    if (!window_.empty()) { port_.unmap(vm_->ram); }
    window_ = {};
}

Loader::Progress Loader::step() {
    // First of all: a device that a service emulates may write to the RAM until then.
    if (const auto progress = reset_services(); progress != Progress::done) { return progress; }
    if (window_.empty() && !take_window()) { return Progress::failed; }
    uint64_t room = step_bytes;
    room -= zero(room);
    while (room > 0 && payload_ < vm_->payload_count) {
        auto const& payload = vm_->payloads[payload_];
        room -= copy(payload, room);
        if (payload_done_ < payload.bytes.size()) { break; }
        if (!check(payload)) { return Progress::failed; }
        ++payload_;
        payload_done_ = checksum_ = 0;
    }
    if (room == 0 || payload_ < vm_->payload_count) { return Progress::more; }
    fill_seeds();
    release();
    return Progress::done;
}

bool Loader::payloads_fit() const {
    return std::ranges::all_of(std::span(vm_->payloads, vm_->payload_count), [&](Payload const& payload) {
        const uint64_t offset = payload.address - vm_->ram_base;
        return payload.address >= vm_->ram_base && offset <= vm_->ram_size && payload.bytes.size() <= vm_->ram_size - offset;
    });
}

bool Loader::take_window() {
    failure_ = {"payload"};
    if (!payloads_fit()) { return false; }
    failure_ = {"window"};
    window_ = port_.map(vm_->ram, vm_->ram_size);
    return window_.size() >= vm_->ram_size;
}

/// Of what is left of the RAM, at most `room` bytes; how many.
uint64_t Loader::zero(uint64_t room) {
    const auto piece = window_.subspan(zeroed_, std::min(room, vm_->ram_size - zeroed_));
    if (piece.empty()) { return 0; }
    port_.zero(piece);
    port_.clean(piece);
    zeroed_ += piece.size();
    return piece.size();
}

/// The same of a payload, whose checksum goes along: in whole units of it, so that only the payload's end is within one.
uint64_t Loader::copy(Payload const& payload, uint64_t room) {
    const auto piece = payload.bytes.subspan(payload_done_, std::min(room, payload.bytes.size() - payload_done_));
    const auto target = window_.subspan(payload.address - vm_->ram_base + payload_done_, piece.size());
    if (payload.checksum != 0) { checksum_ = port_.checksum({piece.data(), abi::checksum_size(piece.size())}, checksum_); }
    __builtin_memcpy(target.data(), piece.data(), piece.size());
    port_.clean(target);
    payload_done_ += piece.size();
    copied_ += piece.size();
    return abi::checksum_size(piece.size());
}

bool Loader::check(Payload const& payload) {
    failure_ = {"a payload is damaged", &payload, checksum_};
    return checksum_ == payload.checksum;
}

/// New values for every start. Without a source the properties become FDT_NOPs: a guest that was told a seed would believe it.
void Loader::fill_seeds() {
    constexpr unsigned entropy_words = 4;
    constexpr uint8_t nop[] = {0, 0, 0, 4};
    random_.absorb(port_.ticks());
    for (unsigned n = 0; n < entropy_words; ++n) {
        if (const auto word = port_.entropy()) { random_.seed(*word); }
    }
    for (auto const& seed : std::span(vm_->seeds, vm_->seed_count)) {
        const auto property = window_.subspan(seed.address - vm_->ram_base, seed_header + ((seed.size + 3) & ~3ull));
        if (random_.seeded()) {
            random_.fill(property.subspan(seed_header, seed.size));
        } else {
            for (size_t n = 0; n < property.size(); ++n) { property[n] = nop[n % sizeof(nop)]; }
        }
        port_.clean(property);
    }
}

Loader::Progress Loader::reset_services() {
    for (; service_ < vm_->service_count; ++service_, tries_ = 0) {
        auto const& service = vm_->services[service_];
        const auto status = port_.tell(service.endpoint, abi::client::Label::reset, service.client, vm_->used ? 1 : 0);
        if (status == abi::Status::ok) { continue; }
        // It may have just faulted and be restarted between two steps.
        const bool transient = status == abi::Status::again || status == abi::Status::server_fault;
        if (transient && ++tries_ < max_tries) { return Progress::later; }
        failure_ = {abi::name(status)};
        return Progress::failed;
    }
    return Progress::done;
}

} // namespace lifecycle
