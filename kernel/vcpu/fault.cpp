// SPDX-License-Identifier: MIT
// Faults of partitions: recorded, logged by name, signalled to the supervisor.
#include "vcpu/fault.hpp"
#include "boot/machine.hpp"
#include "ipc/ipc.hpp"
#include "lib/log.hpp"
#include "sched/scheduler.hpp"
#include "vcpu/switching.hpp"

namespace bulkhead {

static const char* access_name(uint64_t esr) {
    Value<EsrEl2> value{esr};
    if (value.get(EsrEl2::ec) == ec::instruction_abort) { return "execute"; }
    return value.get(EsrEl2::wnr) ? "write" : "read";
}

static void log_fault(const Vcpu& vcpu) {
    LogLine line("core", "fault.", abi::name(vcpu.fault.reason));
    line.field("partition", vcpu.partition->name).field("vcpu", vcpu.index);
    switch (vcpu.fault.reason) {
    case FaultReason::stage2:
    case FaultReason::permission:
    case FaultReason::undecodable: line.hex("ipa", vcpu.fault.detail[1]).field("access", access_name(vcpu.fault.detail[0])); break;
    case FaultReason::exception: line.hex("esr_el1", vcpu.fault.detail[2]).hex("elr_el1", vcpu.fault.detail[1]); break;
    default: line.hex("detail", vcpu.fault.detail[2]);
    }
    line.hex("pc", vcpu.context.pc).hex("esr", vcpu.fault.detail[0]);
}

void fault(Core& core, Vcpu& vcpu, FaultReason reason, uint64_t detail) {
    if (core.current == &vcpu) { leave(core); }
    bool address = reason == FaultReason::exception;
    vcpu.fault = {reason, {vcpu.esr, address ? vcpu.eager.elr_el1 : vcpu.ipa, detail}};
    vcpu.state = VcpuState::faulted;
    core.timers.cancel(vcpu);
    vcpu.throttled = false;
    make_unready(core, vcpu);
    abandon_requests(core, vcpu);
    Slot* supervisor = objects.find(vcpu.partition->supervisor);
    bool ends = !supervisor || !vcpu.partition->supervisor;
    if (ends) { log::leave_console(); } // which may be the one that faulted
    log_fault(vcpu);
    if (ends) {
        LogLine("machine", "off").field("reason", "policy").field("partition", vcpu.partition->name);
        power_off();
    }
    notify(core, supervisor->notification, 1ull << vcpu.partition->supervisor_signal);
}

SerrorScope serror_scope(uint64_t esr, bool has_ras) {
    constexpr uint64_t ids = 1u << 24;
    if (!has_ras || esr & ids) { return SerrorScope::machine; } // nothing says whose it is
    if ((esr & 0x3f) != 0x11) { return SerrorScope::machine; }  // DFSC: not an asynchronous SError with AET
    uint64_t aet = esr >> 10 & 7;
    if (aet == 2 || aet == 6) { return SerrorScope::none; } // UEO: restartable; CE: corrected
    // UC: uncontainable; UEU unrecoverable, UER recoverable: contained to the context it was taken from
    return aet == 0 ? SerrorScope::machine : SerrorScope::partition;
}

} // namespace bulkhead
