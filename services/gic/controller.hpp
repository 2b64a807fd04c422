// SPDX-License-Identifier: MIT
// The GICv3 of one VM: finds the frame that an access means, and the targets of an SGI. The state
// of the interrupts is the core's; there are no hypercalls here: the core is a template parameter,
// so that host tests can fake it.
#pragma once
#include "distributor.hpp"
#include "redistributor.hpp"

namespace gic {

template <typename Core> class Controller {
public:
    Controller(Core core, const Vm& vm, VmState& state) : core_(core), vm_(vm), state_(state) {}

    /// An access of a size that the specification does not give the register, or to no register:
    /// RAZ/WI.
    uint64_t read(uint64_t ipa, unsigned size) {
        if (ipa & (size - 1)) { return 0; }
        if (ipa - vm_.distributor < frame_size) { return distributor().read(static_cast<uint32_t>(ipa - vm_.distributor), size); }
        const uint64_t offset = ipa - vm_.redistributor;
        if (offset >= vm_.vcpus * redistributor_size) { return 0; }
        return redistributor(offset).read(offset % redistributor_size, size);
    }

    /// The caller holds the VM's lock if needs_lock() says so. Doing a write twice does what doing
    /// it once does.
    void write(uint64_t ipa, unsigned size, uint64_t value) {
        if (ipa & (size - 1)) { return; }
        if (ipa - vm_.distributor < frame_size) {
            return distributor().write(static_cast<uint32_t>(ipa - vm_.distributor), size, value);
        }
        const uint64_t offset = ipa - vm_.redistributor;
        if (offset >= vm_.vcpus * redistributor_size) { return; }
        redistributor(offset).write(offset % redistributor_size, size, value);
    }

    /// Whether a write takes more than one step. Where ones act, it is one hypercall.
    static bool needs_lock(uint64_t ipa) {
        const uint32_t offset = ipa % frame_size;
        return !in_banks(offset) || !write_one_acts(field_at(offset).reg);
    }

    /// ICC_SGI1R_EL1 (group 1), ICC_SGI0R_EL1 or ICC_ASGI1R_EL1 (group 0), written by vCPU
    /// `sender`.
    [[gnu::always_inline]] void send_sgi(unsigned group, unsigned sender, uint64_t value) {
        const unsigned intid = sgir::intid(value);
        unsigned left = value & ~vm_.by_index ? targets(vm_, sender, value) : static_cast<unsigned>(value & sgir::list);
        for (; left != 0; left &= left - 1) {
            const auto vcpu = static_cast<unsigned>(__builtin_ctz(left));
            if ((load(state_.own[vcpu].group) >> intid & 1) == group) { core_.pulse(vcpu, intid); }
        }
    }

    /// Power-on: every register to its reset value; where the specification says UNKNOWN, zero.
    void reset() {
        distributor().reset();
        for (unsigned vcpu = 0; vcpu < vm_.vcpus; ++vcpu) { redistributor(vcpu * redistributor_size).reset(); }
    }

private:
    Distributor<Core> distributor() { return {core_, vm_, state_}; }
    Redistributor<Core> redistributor(uint64_t offset) {
        return {core_, vm_, state_, static_cast<unsigned>(offset / redistributor_size)};
    }

    /// A bit per vCPU.
    [[gnu::noinline]] static unsigned targets(const Vm& vm, unsigned sender, uint64_t value) {
        unsigned found = 0;
        for (unsigned vcpu = 0; vcpu < vm.vcpus; ++vcpu) { found |= is_target(vm, value, sender, vcpu) ? 1u << vcpu : 0; }
        return found;
    }

    static bool is_target(const Vm& vm, uint64_t value, unsigned sender, unsigned vcpu) {
        if (value & sgir::irm) { return vcpu != sender; } // all but self
        const uint32_t affinity = vm.affinity[vcpu];
        const auto cluster = (value >> 48 & 0xff) << 16 | (value >> 32 & 0xff) << 8 | (value >> 16 & 0xff);
        const auto range = value >> 44 & 0xf; // RS: which 16 values of Aff0 the list means
        return affinity >> 8 == cluster && (affinity & 0xff) / 16 == range && (value >> affinity % 16 & 1);
    }

    Core core_;
    const Vm& vm_;
    VmState& state_;
};

} // namespace gic
