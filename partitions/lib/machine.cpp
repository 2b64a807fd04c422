// SPDX-License-Identifier: MIT
// Owns what the device tree says of the machine this guest runs on.

#include "machine.h"

#include "mmu.h"
#include "print.h"

extern "C" [[gnu::visibility("hidden")]] const char _start[];

namespace guest {

namespace {

constinit Machine found;

void learn_memory(const FdtNode& node) {
    auto image = reinterpret_cast<uint64_t>(_start);
    for (uint32_t bank = 0;; ++bank) {
        Range range = node.reg(bank);
        if (range.size == 0) return;
        if (range.contains(image)) found.ram = range;
    }
}

void learn_cpu(const FdtNode& node) {
    if (found.cpus < Machine::max_listed_cpus) found.affinity[found.cpus] = node.reg(0).base;
    ++found.cpus;
}

void learn_psci(const FdtNode& node) {
    Property method = node.property("method");
    if (method.lists("hvc"))
        found.psci = PsciMethod::hvc;
    else if (method.lists("smc"))
        found.psci = PsciMethod::smc;
}

void learn(const FdtNode& node) {
    if (!node.enabled()) return;
    if (Property bootargs = node.property("bootargs")) found.bootargs = reinterpret_cast<const char*>(bootargs.data);
    if (node.is_device_type("memory")) {
        learn_memory(node);
    } else if (node.is_device_type("cpu")) {
        learn_cpu(node);
    } else if ((node.compatible("arm,pl011") || node.compatible("arm,sbsa-uart")) && found.uart.size == 0) {
        found.uart = node.reg(0);
        found.uart_intid = node.intid(0);
        found.uart_is_set_up = node.compatible("arm,sbsa-uart");
    } else if (node.compatible("arm,gic-v3")) {
        found.distributor = node.reg(0);
        found.redistributors = node.reg(1);
    } else if (node.compatible("arm,armv8-timer")) {
        found.physical_timer_intid = node.intid(1);
        found.virtual_timer_intid = node.intid(2);
    } else if (node.compatible("arm,psci-0.2") || node.compatible("arm,psci-1.0")) {
        learn_psci(node);
    }
}

} // namespace

const Machine& machine() { return found; }

/// Runs with the MMU off, before anything can be printed.
extern "C" void guest_discover(const void* device_tree, uint64_t entered) {
    found.entered_at = entered;
    Fdt fdt(device_tree);
    if (fdt.valid()) fdt.for_each_node(learn);
    mmu_map_device(found.uart);
    mmu_map_device(found.distributor);
    mmu_map_device(found.redistributors);
    mmu_map_ram(found.ram);
}

void print_machine() {
    const Machine& m = machine();
    print("dt ram base={x} size={x}", m.ram.base, m.ram.size);
    print("dt cpus={}", m.cpus);
    print("dt uart base={x} intid={}", m.uart.base, m.uart_intid);
    print("dt gic distributor={x} redistributors={x}", m.distributor.base, m.redistributors.base);
    print("dt timer virtual={} physical={}", m.virtual_timer_intid, m.physical_timer_intid);
    print("dt psci method={}", m.psci == PsciMethod::hvc ? "hvc" : m.psci == PsciMethod::smc ? "smc" : "none");
}

} // namespace guest
