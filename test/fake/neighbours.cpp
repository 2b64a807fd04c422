// SPDX-License-Identifier: MIT
// Scheduler, IPC and interrupts as far as objects and memory need them.
#include "fake/neighbours.hpp"
#include "ipc/ipc.hpp"
#include "irq/virtual.hpp"
#include "sched/cross.hpp"
#include "vcpu/switching.hpp"
#include <algorithm>

namespace bulkhead {

namespace {
uint64_t tickets = 0;
std::map<uint64_t, unsigned> looks; // at a ticket
bool was_quiescent = false;
} // namespace

void fake::reset_neighbours() {
    stop_delay = quiescence_delay = late_requests = releases = early_releases = 0;
    was_quiescent = false;
    asked_to_stop.clear();
    rechecks = 0;
    looks.clear();
}

bool stopped(Core&, Vcpu& vcpu) {
    const auto asked = std::count(fake::asked_to_stop.begin(), fake::asked_to_stop.end(), &vcpu);
    fake::asked_to_stop.push_back(&vcpu);
    if (asked < fake::stop_delay) { return false; }
    if (was_quiescent && fake::late_requests) { return --fake::late_requests, false; }
    vcpu.state = VcpuState::off;
    return true;
}

void ask(Core&, Vcpu& vcpu, uint32_t requests) {
    if (requests & request::stop) { fake::asked_to_stop.push_back(&vcpu); }
}
uint64_t ticks_from_us(uint64_t us) { return us * hw::read<hw::Cntfrq>().bits / 1'000'000; }

bool quiescent(Core&, uint64_t& ticket) {
    if (ticket == 0) { ticket = ++tickets; }
    return was_quiescent = looks[ticket]++ >= fake::quiescence_delay;
}

void recheck(Core&) { ++fake::rechecks; }
void release_interrupts(Core&, Partition&) { ++(was_quiescent ? fake::releases : fake::early_releases); }

void init_vcpu(Vcpu& vcpu, Partition& partition, unsigned index, unsigned core, unsigned priority) {
    vcpu.timer_at = abi::no_deadline;
    vcpu.native = partition.kind == abi::PartitionKind::native;
    vcpu.index = static_cast<uint8_t>(index);
    vcpu.core = static_cast<uint8_t>(core);
    vcpu.priority = static_cast<uint8_t>(priority);
    vcpu.partition = &partition;
    partition.vcpus[index] = &vcpu;
}

} // namespace bulkhead
