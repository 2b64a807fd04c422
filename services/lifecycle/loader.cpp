// SPDX-License-Identifier: MIT
// The steps of loading a VM. Each piece of RAM is zeroed, filled and cleaned while it is in the
// cache.
#include "services/lifecycle/loader.hpp"
#include <algorithm>

namespace lifecycle {

void Loader::begin(Vm& vm) {
    vm_ = &vm;
    offset_ = copied_ = 0;
    service_ = tries_ = 0;
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

Loader::Progress Loader::step() { return offset_ < vm_->ram_size ? fill_step() : reset_step(); }

Loader::Progress Loader::fail(std::string_view why) {
    failure_ = why;
    return Progress::failed;
}

bool Loader::payloads_fit() const {
    return std::ranges::all_of(std::span(vm_->payloads, vm_->payload_count), [&](Payload const& payload) {
        const uint64_t offset = payload.address - vm_->ram_base;
        return payload.address >= vm_->ram_base && offset <= vm_->ram_size && payload.bytes.size() <= vm_->ram_size - offset;
    });
}

Loader::Progress Loader::fill_step() {
    if (window_.empty()) {
        if (!payloads_fit()) { return fail("payload"); }
        window_ = port_.map(vm_->ram, vm_->ram_size);
        if (window_.size() < vm_->ram_size) { return fail("window"); }
    }
    const auto chunk = window_.subspan(offset_, std::min(step_bytes, vm_->ram_size - offset_));
    port_.zero(chunk);
    copy_payloads(chunk);
    port_.clean(chunk);
    offset_ += chunk.size();
    if (offset_ == vm_->ram_size) {
        fill_seeds();
        release();
    }
    return Progress::more;
}

/// Copies what of the payloads belongs into this piece of RAM.
void Loader::copy_payloads(std::span<uint8_t> chunk) {
    const uint64_t first = vm_->ram_base + offset_, last = first + chunk.size();
    for (auto const& payload : std::span(vm_->payloads, vm_->payload_count)) {
        const uint64_t from = std::max(first, payload.address);
        const uint64_t to = std::min(last, payload.address + payload.bytes.size());
        if (from >= to) { continue; }
        __builtin_memcpy(&chunk[from - first], &payload.bytes[from - payload.address], to - from);
        copied_ += to - from;
    }
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

Loader::Progress Loader::reset_step() {
    if (service_ == vm_->service_count) { return Progress::done; }
    auto const& service = vm_->services[service_];
    const auto status = port_.tell(service.endpoint, abi::client::Label::reset, service.client, 0);
    if (status == abi::Status::ok) {
        ++service_;
        tries_ = 0;
        return Progress::more;
    }
    // It may have just faulted and be restarted between two steps.
    const bool transient = status == abi::Status::again || status == abi::Status::server_fault;
    if (transient && ++tries_ < max_tries) { return Progress::later; }
    return fail(abi::name(status));
}

} // namespace lifecycle
