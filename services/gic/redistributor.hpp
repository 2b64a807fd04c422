// SPDX-License-Identifier: MIT
// The redistributor (GICR_*) of one vCPU: the frame RD_base, and SGI_base with its SGIs and PPIs.
#pragma once
#include "fields.hpp"
#include "model.hpp"

namespace gic {

template <typename Core> class Redistributor {
public:
    Redistributor(Core core, const Vm& vm, VmState& state, unsigned vcpu) : core_(core), vm_(vm), state_(state), vcpu_(vcpu) {}

    /// Offsets run over both frames.
    uint64_t read(uint32_t offset, unsigned size) {
        return offset < frame_size ? read_control(offset, size) : read_private(offset % frame_size, size);
    }

    void write(uint32_t offset, unsigned size, uint64_t value) {
        if (offset >= frame_size) { return write_private(offset % frame_size, size, value); }
        // Of RD_base, only WAKER can be written: GICR_CTLR holds nothing without LPIs. A PE that
        // goes to sleep has disabled its interrupt groups (else the result is UNPREDICTABLE), so
        // that the core need not hold interrupts back for it.
        if (offset == gicr::waker && size == 4) { store(state_.awake[vcpu_], !(value & gicr::waker_processor_sleep)); }
    }

    void reset() {
        store(state_.awake[vcpu_], 0);
        fields().reset(0);
    }

private:
    Fields<Core> fields() { return {core_, vcpu_, state_.own[vcpu_]}; }

    uint64_t typer() const { return gicr::typer_value(vcpu_, vcpu_ + 1 == vm_.vcpus, vm_.affinity[vcpu_]); }

    uint64_t read_control(uint32_t offset, unsigned size) const {
        if (offset == gicr::typer && size == 8) { return typer(); }
        if (size != 4) { return 0; }
        if (offset >= id_registers) { return id_value(offset); }
        switch (offset) {
        case gicr::iidr: return iidr;
        case gicr::typer: return typer() & 0xffff'ffff;
        case gicr::typer_high: return typer() >> 32;
        case gicr::waker: return load(state_.awake[vcpu_]) ? 0 : gicr::waker_asleep;
        default: return 0;
        }
    }

    static bool is_private_field(uint32_t offset) { return in_banks(offset) && field_at(offset).first < private_intids; }

    uint64_t read_private(uint32_t offset, unsigned size) {
        if (!is_private_field(offset)) { return 0; }
        if (offset < config_begin) { return fields().read(field_at(offset), size); }
        return size == 4 && offset == config_begin ? config_sgis : 0;
    }

    /// GICR_ICFGR0 is constant, and so is our GICR_ICFGR1, as the specification allows.
    void write_private(uint32_t offset, unsigned size, uint64_t value) {
        if (!is_private_field(offset) || offset >= config_begin) { return; }
        fields().write(field_at(offset), size, value);
    }

    Core core_;
    const Vm& vm_;
    VmState& state_;
    unsigned vcpu_;
};

} // namespace gic
