// SPDX-License-Identifier: MIT
// A GICv3 model of a VM with three vCPUs, over a core that only remembers what it is told.
#pragma once
#include "services/gic/controller.hpp"
#include <catch2/catch.hpp>
#include <memory>
#include <ostream>
#include <utility>
#include <vector>

namespace gic_test {

using gic::Register;

struct Written {
    Register reg;
    unsigned vcpu, first;
    uint64_t value;
    bool operator==(const Written&) const = default;
};
inline std::ostream& operator<<(std::ostream& out, const Written& w) {
    return out << "{register " << unsigned(w.reg) << " vcpu " << w.vcpu << " first " << w.first << " value 0x" << std::hex
               << w.value << std::dec << "}";
}

struct Pulse {
    unsigned vcpu, intid;
    bool operator==(const Pulse&) const = default;
};
inline std::ostream& operator<<(std::ostream& out, const Pulse& p) {
    return out << "{vcpu " << p.vcpu << " intid " << p.intid << "}";
}
using Pulses = std::vector<Pulse>;

/// Remembers every write; keeps enabled, pending and active bits as the core does.
struct FakeCore {
    std::vector<Written> written;
    Pulses pulses;
    uint32_t bits[3][8][8] = {}; ///< [enable, pending, active][vcpu][block]

    uint32_t& word(Register reg, unsigned vcpu, unsigned first) {
        return bits[(unsigned(reg) - 1) / 2][first < 32 ? vcpu : 0][first / 32];
    }
};

struct Core {
    FakeCore* fake;
    uint64_t read(Register reg, unsigned vcpu, unsigned first) {
        REQUIRE((reg == Register::enable_set || reg == Register::pending_set || reg == Register::active_set));
        REQUIRE(first % 32 == 0);
        return fake->word(reg, vcpu, first);
    }
    void pulse(unsigned vcpu, unsigned intid) { fake->pulses.push_back({vcpu, intid}); }
    void write(Register reg, unsigned vcpu, unsigned first, uint64_t value) {
        fake->written.push_back({reg, vcpu, first, value});
        if (!gic::write_one_acts(reg)) { return; }
        auto& word = fake->word(reg, vcpu, first);
        word = unsigned(reg) % 2 ? word | uint32_t(value) : word & ~uint32_t(value);
    }
};

constexpr uint64_t gicd = 0x800'0000, gicr = 0x80a'0000, sgi = gicr + 0x1'0000, stride = 0x2'0000;

/// Three vCPUs: 0.0.0.0, 0.0.0.1 and 1.2.3.17; 64 SPIs.
struct Machine {
    gic::Vm vm{gicd, gicr, 3, 64, {0, 1, 0x0102'0311}};
    std::unique_ptr<gic::VmState> state{new gic::VmState{}};
    FakeCore fake;

    gic::Controller<Core> controller() { return {Core{&fake}, vm, *state}; }
    uint64_t read(uint64_t ipa, unsigned size = 4) { return controller().read(ipa, size); }
    void write(uint64_t ipa, uint64_t value, unsigned size = 4) { controller().write(ipa, size, value); }
    /// The SGIs that a vCPU's write sends.
    Pulses send(unsigned group, unsigned sender, uint64_t value) {
        controller().send_sgi(group, sender, value);
        CHECK(fake.written.empty());
        return std::exchange(fake.pulses, {});
    }
    std::vector<Written> take() { return std::exchange(fake.written, {}); }
};

using Writes = std::vector<Written>;

} // namespace gic_test
