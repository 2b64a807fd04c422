// SPDX-License-Identifier: MIT
// Owns the alarm guest: it drives a PL031 (Arm DDI 0224C) that it has for itself, and acknowledges and ends its interrupts by hand; then
// again from its start.

#include "cpu.h"
#include "gic.h"
#include "guest.h"
#include "machine.h"
#include "print.h"
#include "psci.h"

extern "C" const char guest_name[] = "alarm";

namespace {

using namespace guest;

SYSTEM_REGISTER(IccDirEl1, "S3_0_C12_C11_1")

constexpr uint64_t rtc = 0x0901'0000, data = rtc, match = rtc + 4, mask = rtc + 0x10, raw = rtc + 0x14, clear = rtc + 0x1c;
constexpr uint32_t intid = 34, none = 1023;
constexpr uint64_t eoi_mode = 2;

uint32_t acknowledge() {
    isb();
    return static_cast<uint32_t>(IccIar1El1::read());
}

/// Ticks that `operation` takes.
template <typename Operation> uint64_t ticks_of(Operation operation) {
    isb();
    uint64_t begin = CntvctEl0::read();
    operation();
    isb();
    return CntvctEl0::read() - begin;
}

/// Sleeps until something is acknowledged. IRQ is masked.
uint32_t sleep_until_acknowledged() {
    for (;;)
        if (uint32_t got = acknowledge(); got != none)
            return got;
        else
            wfi();
}

uint32_t wait_for_alarm() {
    mmio_write<uint32_t>(match, mmio_read<uint32_t>(data) + 1);
    return sleep_until_acknowledged();
}

void quiet() {
    mmio_write<uint32_t>(clear, 1);
    dsb();
}

void end(uint32_t got) { IccEoir1El1::write(got); }

void alarms() {
    IrqGuard masked;
    mmio_write<uint32_t>(mask, 0);
    quiet();
    gic().enable(intid, nullptr);
    mmio_write<uint32_t>(mask, 1);
    print("exit ticks={}", ticks_of([] { CntpCtlEl0::read(); }));

    uint32_t first = wait_for_alarm();
    uint32_t before = acknowledge(); // active, so not again
    end(first);
    uint32_t again = sleep_until_acknowledged();
    print("level first={} before={} again={} raw={}", first, before, again, mmio_read<uint32_t>(raw));
    quiet();
    print("eoi ticks={} then={}", ticks_of([=] { end(again); }), acknowledge());

    uint32_t second = wait_for_alarm();
    quiet();
    print("second={} ticks={} then={}", second, ticks_of([=] { end(second); }), acknowledge());

    IccCtlrEl1::write(IccCtlrEl1::read() | eoi_mode);
    uint32_t third = wait_for_alarm();
    end(third); // the priority only
    uint32_t dropped = acknowledge();
    quiet();
    print("third={} dropped={} ticks={} then={}", third, dropped, ticks_of([=] { IccDirEl1::write(third); }), acknowledge());
    IccCtlrEl1::write(IccCtlrEl1::read() & ~eoi_mode);
    print("fourth={}", wait_for_alarm());
    print("reset while it is active");
    psci::system_reset();
}

} // namespace

extern "C" void guest_main() {
    if (start_machine()) alarms();
}
