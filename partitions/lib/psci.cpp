// SPDX-License-Identifier: MIT
// Owns PSCI calls (Arm DEN 0022) through the conduit that the device tree names.

#include "psci.h"

#include "machine.h"

namespace guest::psci {

namespace {

constexpr uint64_t fn_version = 0x8400'0000, fn_cpu_off = 0x8400'0002, fn_cpu_on = 0xc400'0003;
constexpr uint64_t fn_affinity_info = 0xc400'0004;
constexpr uint64_t fn_system_off = 0x8400'0008, fn_system_reset = 0x8400'0009;

int32_t call(uint64_t function, uint64_t first = 0, uint64_t second = 0, uint64_t third = 0) {
    PsciMethod method = machine().psci;
    if (method == PsciMethod::none) return not_supported;
    // No function call may come between these and the instruction.
    register uint64_t x0 asm("x0") = function;
    register uint64_t x1 asm("x1") = first;
    register uint64_t x2 asm("x2") = second;
    register uint64_t x3 asm("x3") = third;
    // SMCCC 1.0 lets the callee change x4-x17.
    asm volatile("cbz %w4, 1f; hvc #0; b 2f; 1: smc #0; 2:"
                 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
                 : "r"(static_cast<uint32_t>(method == PsciMethod::hvc))
                 : "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "memory");
    return static_cast<int32_t>(x0);
}

} // namespace

int32_t version() { return call(fn_version); }

int32_t cpu_on(uint64_t affinity, void (*entry)(), const void* context) {
    return call(fn_cpu_on, affinity, reinterpret_cast<uint64_t>(entry), reinterpret_cast<uint64_t>(context));
}

int32_t affinity_info(uint64_t affinity) { return call(fn_affinity_info, affinity, 0); }

void cpu_off() { call(fn_cpu_off); }

void system_off() { call(fn_system_off); }

void system_reset() { call(fn_system_reset); }

} // namespace guest::psci
