// SPDX-License-Identifier: MIT
// Owns what happens at an exception: interrupts to the GIC driver, all else is said and powers off.

#include "cpu.h"
#include "gic.h"
#include "pl011.h"
#include "print.h"
#include "psci.h"

namespace guest {

namespace {

struct Frame {
    uint64_t x[31];
    uint64_t elr;
    uint64_t spsr;
};

constexpr unsigned irq_here = 5, sync_here = 4, serror_here = 7;

const char* cause(unsigned kind, uint64_t esr) {
    if (kind == serror_here) return "SError";
    if (kind != sync_here) return "unexpected vector";
    switch (esr >> 26 & 0x3f) {
    case 0x00: return "undefined instruction";
    case 0x07: return "FP access";
    case 0x21: return "instruction abort";
    case 0x25: return (esr & 0x3f) == 0x10 ? "external abort" : "data abort";
    case 0x26: return "misaligned stack";
    default: return "exception";
    }
}

} // namespace

extern "C" void exception_entry(unsigned kind, const Frame* frame) {
    if (kind == irq_here) return gic().dispatch();
    uint64_t esr = EsrEl1::read();
    uart().flush();
    print("fault: {} at address {x}", cause(kind, esr), FarEl1::read());
    print("fault: elr {x} esr {x} spsr {x} x30 {x}", frame->elr, esr, frame->spsr, frame->x[30]);
    print("fault: powering off");
    uart().flush();
    psci::system_off();
    for (;;) wfi();
}

} // namespace guest
