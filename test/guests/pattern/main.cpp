// SPDX-License-Identifier: MIT
// Owns the pattern guest: numbered lines that a test can check byte by byte, polled, then by interrupt, then an echo of its input.

#include "cpu.h"
#include "gic.h"
#include "guest.h"
#include "machine.h"
#include "pl011.h"
#include "print.h"

extern "C" const char guest_name[] = "pattern";

namespace {

using namespace guest;

constexpr unsigned lines = 100, line_size = 64;

/// "polled 0042 " and letters that depend on the number.
void write_lines(const char* how) {
    for (unsigned n = 0; n < lines; ++n) {
        char line[line_size];
        unsigned at = 0;
        for (const char* c = how; *c; ++c) line[at++] = *c;
        line[at++] = ' ';
        for (unsigned ten = 1000; ten; ten /= 10) line[at++] = static_cast<char>('0' + n / ten % 10);
        line[at++] = ' ';
        while (at < line_size - 2) {
            line[at] = static_cast<char>('a' + (n + at) % 26);
            ++at;
        }
        line[at++] = '\r';
        line[at++] = '\n';
        uart().write(line, at);
    }
}

} // namespace

extern "C" void guest_main() {
    if (!start_machine()) return;
    write_lines("polled");
    print("polled done");
    if (!gic().enable(machine().uart_intid, [] { uart().on_interrupt(); })) return;
    uart().start_interrupts();
    write_lines("interrupt");
    print("interrupt done");
    for (;;) {
        sleep_unless([] { return uart().has_input(); });
        for (char c; uart().read(c);) {
            if (c == '!') {
                write_lines("again");
                print("again done");
            } else {
                uart().write(&c, 1);
            }
        }
    }
}
