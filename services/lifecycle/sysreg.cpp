// SPDX-License-Identifier: MIT
// The table of trapped registers: nearly all but the feature registers read as zero and ignore writes, as on a machine
// without the facility.
#include "services/lifecycle/sysreg.hpp"
#include "abi/message.hpp"
#include "services/lifecycle/id_registers.hpp"

namespace lifecycle {
namespace {

/// A set of encodings: those equal to `encoding` where `mask` has ones.
struct Range {
    uint32_t encoding;
    uint32_t mask;
};
constexpr uint32_t op0 = abi::sysreg(3, 0, 0, 0, 0), op1 = abi::sysreg(0, 7, 0, 0, 0), crn = abi::sysreg(0, 0, 15, 0, 0),
                   crm = abi::sysreg(0, 0, 0, 15, 0), op2 = abi::sysreg(0, 0, 0, 0, 7), all = op0 | op1 | crn | crm | op2;

constexpr uint32_t oslar_el1 = abi::sysreg(2, 0, 1, 0, 4), oslsr_el1 = abi::sysreg(2, 0, 1, 1, 4);

constexpr Range zero[] = {
    {abi::sysreg(2, 0, 0, 0, 4), op0 | op1 | crn | op2},                         // DBGBVR<n>_EL1
    {abi::sysreg(2, 0, 0, 0, 5), op0 | op1 | crn | op2},                         // DBGBCR<n>_EL1
    {abi::sysreg(2, 0, 0, 0, 6), op0 | op1 | crn | op2},                         // DBGWVR<n>_EL1
    {abi::sysreg(2, 0, 0, 0, 7), op0 | op1 | crn | op2},                         // DBGWCR<n>_EL1
    {abi::sysreg(2, 0, 0, 2, 0), all},                                           // MDCCINT_EL1
    {abi::sysreg(2, 0, 0, 2, 2), all},                                           // MDSCR_EL1
    {abi::sysreg(2, 0, 0, 0, 2), all},                                           // OSDTRRX_EL1
    {abi::sysreg(2, 0, 0, 3, 2), all},                                           // OSDTRTX_EL1
    {abi::sysreg(2, 0, 0, 6, 2), all},                                           // OSECCR_EL1
    {abi::sysreg(2, 3, 0, 1, 0), all},                                           // MDCCSR_EL0
    {abi::sysreg(2, 3, 0, 4, 0), all},                                           // DBGDTR_EL0
    {abi::sysreg(2, 3, 0, 5, 0), all},                                           // DBGDTRRX_EL0, DBGDTRTX_EL0
    {abi::sysreg(2, 0, 1, 0, 0), all},                                           // MDRAR_EL1
    {abi::sysreg(2, 0, 1, 3, 4), all},                                           // OSDLR_EL1
    {abi::sysreg(2, 0, 1, 4, 4), all},                                           // DBGPRCR_EL1
    {abi::sysreg(2, 0, 7, 8, 6), all},                                           // DBGCLAIMSET_EL1
    {abi::sysreg(2, 0, 7, 9, 6), all},                                           // DBGCLAIMCLR_EL1
    {abi::sysreg(2, 0, 7, 14, 6), all},                                          // DBGAUTHSTATUS_EL1
    {abi::sysreg(3, 3, 9, 12, 0), all & ~op2},                                   // PMCR_EL0 (N=0) to PMCEID1_EL0
    {abi::sysreg(3, 3, 9, 13, 0), all & ~op2},                                   // PMCCNTR_EL0, PMXEVTYPER_EL0, PMXEVCNTR_EL0
    {abi::sysreg(3, 3, 9, 14, 0), all & ~op2},                                   // PMUSERENR_EL0, PMOVSSET_EL0
    {abi::sysreg(3, 0, 9, 14, 0), all & ~op2},                                   // PMINTENSET_EL1, PMINTENCLR_EL1, PMMIR_EL1
    {abi::sysreg(3, 3, 14, 8, 0), op0 | op1 | crn | abi::sysreg(0, 0, 0, 8, 0)}, // PMEV*<n>, PMCCFILTR
    {abi::sysreg(3, 0, 1, 0, 1), all},                                           // ACTLR_EL1
    {abi::sysreg(3, 0, 10, 4, 0), all & ~op2},                                   // LORSA_EL1 to LORID_EL1
    {abi::sysreg(3, 0, 5, 3, 0), all & ~op2},                                    // ERRIDR_EL1 (no records), ERRSELR_EL1
    {abi::sysreg(3, 0, 11, 0, 0), op0 | crn},                                    // implementation-defined
    {abi::sysreg(3, 0, 15, 0, 0), op0 | crn},                                    // implementation-defined
};

bool reads_as_zero(uint32_t encoding) {
    for (auto const& range : zero) {
        if ((encoding & range.mask) == range.encoding) { return true; }
    }
    return false;
}

void report_undefined(Port& port, Vm& vm, uint32_t encoding) {
    for (auto& slot : vm.undefined) {
        uint32_t expected = 0;
        if (slot.compare_exchange_strong(expected, encoding)) {
            vm.requests.fetch_or(request::report);
            port.wake();
            return;
        }
        if (expected == encoding) { return; }
    }
}

} // namespace

std::optional<uint64_t> read_register(Port& port, Vm& vm, unsigned vcpu, uint32_t encoding) {
    if (encoding == oslsr_el1) {
        constexpr uint64_t implemented = 0x8, locked = 0x2; // OSLM = 0b10, OSLK
        return implemented | ((vm.os_unlocked.load() >> vcpu & 1) != 0 ? 0 : locked);
    }
    if (is_id_register(encoding)) { return id_register_for_vm(encoding, port.id_register(encoding), vm.extras); }
    if (reads_as_zero(encoding)) { return 0; }
    report_undefined(port, vm, encoding);
    return std::nullopt;
}

bool write_register(Port& port, Vm& vm, unsigned vcpu, uint32_t encoding, uint64_t value) {
    if (encoding == oslar_el1) {
        const uint32_t bit = 1u << vcpu;
        if ((value & 1) != 0) {
            vm.os_unlocked.fetch_and(~bit);
        } else {
            vm.os_unlocked.fetch_or(bit);
        }
        return true;
    }
    if (reads_as_zero(encoding)) { return true; }
    report_undefined(port, vm, encoding);
    return false;
}

} // namespace lifecycle
