// SPDX-License-Identifier: MIT
// The extras, and where the CPU says that it has them (Arm ARM DDI 0487, D17.2).
#include "services/lifecycle/extras.hpp"
#include "abi/message.hpp"

namespace lifecycle {
namespace {

uint64_t id(Port& port, unsigned crm, unsigned op2) { return port.id_register(abi::sysreg(3, 0, 0, crm, op2)); }

bool has_pmu(Port& port) {
    const uint64_t version = id(port, 5, 0) >> 8 & 15; // ID_AA64DFR0_EL1.PMUVer; 15: not by the architecture
    return version != 0 && version != 15;
}

bool has_pac(Port& port) {
    constexpr uint64_t apa_api = 0xff0, apa3 = 0xf000; // ID_AA64ISAR1_EL1, ID_AA64ISAR2_EL1
    return (id(port, 6, 1) & apa_api) != 0 || (id(port, 6, 2) & apa3) != 0;
}

constexpr Extra extras[] = {{"pmu", &Extras::pmu, "FEAT_PMUv3", has_pmu},
                            {"pac", &Extras::pac, "FEAT_PAuth", has_pac},
                            {"trng", &Extras::trng, "FEAT_RNG", has_entropy_source}};

} // namespace

std::span<Extra const> all_extras() { return extras; }
bool has_entropy_source(Port& port) { return id(port, 6, 0) >> 60 != 0; } // ID_AA64ISAR0_EL1.RNDR

} // namespace lifecycle
