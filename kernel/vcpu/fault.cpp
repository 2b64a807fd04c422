// SPDX-License-Identifier: MIT
// Faults of partitions: recorded, and signalled to the supervisor, who says so.
#include "vcpu/fault.hpp"
#include "boot/machine.hpp"
#include "ipc/ipc.hpp"
#include "lib/log.hpp"
#include "sched/scheduler.hpp"
#include "vcpu/switching.hpp"

namespace bulkhead {

/// Without a supervisor nobody else can say it.
[[noreturn]] static void end_machine(const Vcpu& vcpu) {
    LogLine::leave_console(); // which may be the one that faulted
    const char* name = vcpu.partition->name;
    LogLine("core", "fault.", abi::name(vcpu.fault.reason))
        .field("partition", name)
        .field("vcpu", vcpu.index)
        .hex("address", vcpu.fault.detail[1])
        .hex("detail", vcpu.fault.detail[2])
        .hex("pc", vcpu.context.pc)
        .hex("esr", vcpu.fault.detail[0]);
    LogLine("machine", "off").field("reason", "policy").field("partition", name);
    power_off();
}

void fault(Core& core, Vcpu& vcpu, FaultReason reason, uint64_t detail) {
    if (core.current == &vcpu) { leave(core); }
    write_back(core, vcpu); // for who reads them
    bool address = reason == FaultReason::exception;
    vcpu.fault = {reason, {vcpu.esr, address ? vcpu.eager.elr_el1 : vcpu.ipa, detail}};
    core.timers.cancel(vcpu);
    vcpu.throttled = false;
    make_unready(core, vcpu);
    std::atomic_ref(vcpu.state).store(VcpuState::faulted, std::memory_order_release); // who sees it at rest sees it in no queue
    abandon_requests(core, vcpu);
    const Partition& partition = *vcpu.partition;
    if (!partition.supervisor) { end_machine(vcpu); }
    if (Slot* supervisor = objects.find(partition.supervisor)) { // none: its creator has given up being told
        notify(core, supervisor->notification, 1ull << partition.supervisor_signal);
    }
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
