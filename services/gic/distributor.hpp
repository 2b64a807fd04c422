// SPDX-License-Identifier: MIT
// The distributor (GICD_*) of one VM: SPIs, their routes, and the enables of the groups.
#pragma once
#include "fields.hpp"
#include "model.hpp"

namespace gic {

template <typename Core> class Distributor {
public:
    Distributor(Core core, const Vm& vm, VmState& state) : core_(core), vm_(vm), state_(state) {}

    uint64_t read(uint32_t offset, unsigned size) {
        if (is_spi_field(offset)) { return fields(offset).read(field_at(offset), size); }
        if (is_router(offset)) { return read_router(offset, size); }
        if (size != 4) { return 0; }
        if (offset >= id_registers) { return id_value(offset); }
        switch (offset) {
        case gicd::ctlr: return load(state_.ctlr) | gicd::ctlr_constant;
        case gicd::typer: return gicd::typer_value(vm_.spis);
        case gicd::iidr: return iidr;
        default: return 0;
        }
    }

    void write(uint32_t offset, unsigned size, uint64_t value) {
        if (is_spi_field(offset)) { return fields(offset).write(field_at(offset), size, value); }
        if (is_router(offset)) { return write_router(offset, size, value); }
        if (offset == gicd::ctlr && size == 4) { set_ctlr(value & gicd::ctlr_enables); }
    }

    void reset() {
        set_ctlr(0);
        for (unsigned intid = private_intids; is_spi(intid); ++intid) {
            if (intid % 32 == 0) { fields_of(intid).reset(intid); }
            set_router(intid, 0);
        }
    }

private:
    /// A route that names no vCPU of the VM: the interrupt pends nowhere.
    static constexpr unsigned any_vcpu = 0xff, no_vcpu = 0xfe;

    Fields<Core> fields_of(unsigned intid) { return {core_, 0, state_.spis[(intid - private_intids) / 32]}; }
    Fields<Core> fields(uint32_t offset) { return fields_of(field_at(offset).first); }

    void set_ctlr(uint64_t enables) {
        store(state_.ctlr, enables);
        core_.write(Register::ctlr, 0, 0, enables);
    }

    bool is_spi(unsigned intid) const { return intid >= private_intids && intid - private_intids < vm_.spis; }
    /// With affinity routing the distributor's registers of INTIDs below 32 are reserved.
    bool is_spi_field(uint32_t offset) const { return in_banks(offset) && is_spi(field_at(offset).first); }
    static bool is_router(uint32_t offset) { return offset >= gicd::router && offset < gicd::router_end; }

    uint64_t read_router(uint32_t offset, unsigned size) const {
        const unsigned intid = (offset - gicd::router) / 8;
        if (!is_spi(intid) || size < 4) { return 0; }
        const auto value = load(state_.router[intid - private_intids]);
        return size == 8 ? value : value >> offset % 8 * 8 & 0xffff'ffff;
    }

    void write_router(uint32_t offset, unsigned size, uint64_t value) {
        const unsigned intid = (offset - gicd::router) / 8;
        if (!is_spi(intid) || size < 4) { return; }
        if (size == 4) {
            const auto half = 0xffff'ffffull << offset % 8 * 8;
            const auto old = load(state_.router[intid - private_intids]);
            value = (old & ~half) | (value << offset % 8 * 8 & half);
        }
        set_router(intid, value & gicd::router_mask);
    }

    void set_router(unsigned intid, uint64_t value) {
        store(state_.router[intid - private_intids], value);
        const auto route = value & gicd::router_irm ? any_vcpu : vcpu_at(affinity_of(value));
        core_.write(Register::route, 0, intid, route);
    }

    unsigned vcpu_at(uint32_t affinity) const {
        for (unsigned vcpu = 0; vcpu < vm_.vcpus; ++vcpu) {
            if (vm_.affinity[vcpu] == affinity) { return vcpu; }
        }
        return no_vcpu;
    }

    Core core_;
    const Vm& vm_;
    VmState& state_;
};

} // namespace gic
