// SPDX-License-Identifier: MIT
// The registers that hold a field for each INTID: the distributor has them for SPIs, a
// redistributor for its SGIs and PPIs.
#pragma once
#include "model.hpp"

namespace gic {

/// 32 INTIDs. Core, here and everywhere: `uint64_t read(Register, vcpu, first)` and
/// `void write(Register, vcpu, first, value)`, as Hypercall::interrupt_state; `void pulse(vcpu, intid)`.
template <typename Core> class Fields {
public:
    Fields(Core core, unsigned vcpu, Block& block) : core_(core), vcpu_(vcpu), block_(block) {}

    uint64_t read(Field field, unsigned size) {
        const unsigned place = field.first % 32;
        if (field.reg == Register::priority && (size == 1 || size == 4)) {
            const auto four = load(block_.priority[place / 4]);
            return size == 4 ? four : four >> place % 4 * 8 & 0xff;
        }
        if (size != 4) { return 0; }
        if (field.reg == Register::group) { return load(block_.group); }
        if (field.reg == Register::config) { return load(block_.config[place / 16]); }
        return core_.read(to_read(field.reg), vcpu_, field.first);
    }

    void write(Field field, unsigned size, uint64_t value) {
        if (field.reg == Register::priority) { return write_priority(field.first, size, value); }
        if (size != 4) { return; }
        if (field.reg == Register::group) { return configure(block_.group, field, value); }
        if (field.reg == Register::config) { return configure(block_.config[field.first % 32 / 16], field, value & config_mask); }
        if (value != 0) { core_.write(field.reg, vcpu_, field.first, value); }
    }

    /// To the reset state. Disabled first, so that nothing is delivered half-way.
    void reset(unsigned first) {
        constexpr uint32_t all = 0xffff'ffff;
        core_.write(Register::enable_clear, vcpu_, first, all);
        core_.write(Register::pending_clear, vcpu_, first, all);
        core_.write(Register::active_clear, vcpu_, first, all);
        configure(block_.group, {Register::group, first}, 0);
        configure(block_.config[0], {Register::config, first}, first == 0 ? config_sgis : 0);
        configure(block_.config[1], {Register::config, first + 16}, 0);
        for (unsigned intid = first; intid < first + 32; intid += 4) { write_priority(intid, 4, 0); }
    }

private:
    void configure(std::atomic<uint32_t>& word, Field field, uint64_t value) {
        store(word, value);
        core_.write(field.reg, vcpu_, field.first, value);
    }

    void write_priority(unsigned intid, unsigned size, uint64_t value) {
        auto& word = block_.priority[intid % 32 / 4];
        if (size == 1) {
            const unsigned shift = intid % 4 * 8;
            value = (load(word) & ~(0xffull << shift)) | (value & 0xff) << shift;
        } else if (size != 4) {
            return;
        }
        configure(word, {Register::priority, intid & ~3u}, value & priority_mask);
    }

    Core core_;
    unsigned vcpu_;
    Block& block_;
};

} // namespace gic
