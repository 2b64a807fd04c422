// SPDX-License-Identifier: MIT
// The core's own failure: registers, stack and what was violated go to the PL011, for tools/bulkhead symbolize; then power off.
#include "boot/core_area.hpp"
#include "boot/machine.hpp"
#include "lib/log.hpp"

namespace bulkhead {

constexpr const char* names[] = {"x0",  "x1",  "x2",  "x3",  "x4",  "x5",  "x6",  "x7",  "x8",  "x9",  "x10", "x11",
                                 "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23",
                                 "x24", "x25", "x26", "x27", "x28", "x29", "x30", "sp",  "pc",  "spsr"};
constexpr unsigned registers = sizeof(names) / sizeof(names[0]), sp = 31;

extern "C" {
constinit uint64_t panic_frame[registers]{}; ///< filled by entry/vectors.S, in the order of `names`
alignas(16) constinit char panic_stack[4096]{};
[[noreturn]] void panic_exception();
[[noreturn]] void panic_assertion(const char* violated, const char* file, unsigned line);
}
asm(".global panic_stack_top\n.set panic_stack_top, panic_stack + 4096");

static void begin() {
    static std::atomic<bool> panicked{false};
    if (panicked.exchange(true)) { // a second core, or a panic in the panic
        for (;;) { hw::wfi(); }
    }
    LogLine::leave_console();
}

/// The first words of the line that says what was violated.
static LogLine& say_where(LogLine&& line) {
    Core& core = Core::self();
    line.field("core", core.index);
    if (core.current) { line.field("partition", core.current->partition->name).field("vcpu", core.current->index); }
    return line;
}

[[noreturn]] static void end() {
    for (unsigned i = 0; i < registers;) {
        LogLine line("core", "reg");
        for (unsigned n = 0; n < 4 && i < registers; ++n, ++i) { line.hex(names[i], panic_frame[i]); }
    }
    const uint64_t core = hw::physical(&Core::self()).value, bottom = core - sizeof(CoreArea::stack);
    for (uint64_t at = panic_frame[sp] & ~15ull; at >= bottom && at < core; at += 32) {
        LogLine line("core", "stack");
        line.word(at);
        for (unsigned i = 0; i < 4; ++i) { line.word(hw::pointer<uint64_t>({at})[i]); }
    }
    { LogLine ended("core", "panic", " end"); }
    LogLine("machine", "off").field("reason", "panic");
    power_off();
}

void panic_exception() {
    constexpr uint64_t class_and_status = 0xfc00'003f, external_abort = 0x9400'0010;
    uint64_t esr = hw::read<EsrEl2>().bits, far = hw::read<hw::FarEl2>().bits;
    bool booting = hw::read<SctlrEl2>().get(SctlrEl2::m) == 0; // and only memory is looked at
    if (booting && (esr & class_and_status) == external_abort) {
        refuse("\"less memory than the system was packed for\"", "address", far, "\"raise -m, or pack for less\"");
    }
    begin();
    say_where(LogLine("core", "panic")).field("violated", "\"exception at EL2\"").hex("esr", esr).hex("far", far);
    end();
}

void panic_assertion(const char* violated, const char* file, unsigned line) {
    begin();
    say_where(LogLine("core", "panic")).field("violated", violated).field("file", file).field("line", line);
    end();
}

} // namespace bulkhead
