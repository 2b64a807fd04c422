// SPDX-License-Identifier: MIT
// Owns the partitions of the system `rounds`, one program by roles: clients that call with all of their registers full of marks, and
// the server, which looks at what it finds in its own. None of them touches a register of EL1, so that their calls take the short way.
#include "services/lib/environment.hpp"
#include "test/guests/native/check.hpp"

namespace test {
namespace {

constexpr unsigned kept = 22; ///< x9 to x30
constexpr uint64_t server_mark = 0x5e5e'5e5e'0000'0000, client_mark = 0xc1c1'c1c1'0000'0000, mark_bits = 0xffff'ffff'0000'0000;

// Hypercalls with every register under control. x: x0 to x8 before and behind it; x9 to x30 are filled with `marks`, and what is in
// them behind it goes to `seen`.
extern "C" void call_with(uint64_t (&x)[9], uint64_t const (&marks)[kept], uint64_t (&seen)[kept]);
extern "C" void reply_with(uint64_t (&x)[9], uint64_t const (&marks)[kept], uint64_t (&seen)[kept]);
// clang-format off
asm(R"(
.macro each op, base, first, last, at
    .ifle \first - \last
    \op x\first, [\base, #\at]
    each \op, \base, %(\first + 1), \last, %(\at + 8)
    .endif
.endm
.altmacro
.macro with_registers number
    sub sp, sp, #128
    each str, sp, 19, 30, 0
    stp x0, x2, [sp, #96]
    mov x8, x0
    mov x9, x1
    each ldr, x9, 10, 30, 8
    ldr x9, [x9]
    each ldr, x8, 0, 7, 0
    hvc #\number
    str x9, [sp, #112]
    ldr x9, [sp, #96]
    each str, x9, 0, 8, 0
    ldr x9, [sp, #104]
    each str, x9, 10, 30, 8
    ldr x10, [sp, #112]
    str x10, [x9]
    each ldr, sp, 19, 30, 0
    add sp, sp, #128
    ret
.endm
call_with: with_registers 1
reply_with: with_registers 2
.noaltmacro
)");
// clang-format on

struct Marks {
    uint64_t of[kept];
    explicit Marks(uint64_t prefix, uint64_t round) {
        for (unsigned n = 0; n < kept; ++n) { of[n] = prefix | (round & 0x7f'ffff) << 8 | 1u << 31 | n; }
    }
};

/// Answers each word plus one; the last one is how many of its registers ever held a client's mark. (What it had there itself may be: the constant.)
[[noreturn]] void serve_rounds() {
    uint64_t x[9] = {abi::no_deadline}, seen[kept]{}, foreign = 0;
    for (uint64_t round = 0;; ++round) {
        reply_with(x, Marks(server_mark, round).of, seen);
        for (uint64_t const value : seen) { foreign += (value & mark_bits) == client_mark && value != client_mark; }
        bool const called = abi::Tag{x[1]}.kind() == abi::Kind::call;
        uint16_t const label = abi::Tag{x[1]}.label();
        for (unsigned n = 2; n < 7; ++n) { ++x[n]; }
        x[0] = abi::no_deadline, x[1] = called ? label ^ 0xffffu : 0, x[7] = foreign;
    }
}

struct Wrong {
    uint64_t rounds, words, registers, foreign;
};

/// Calls for a while.
Wrong call_rounds(Handle server, uint64_t us) {
    Wrong wrong{};
    for (uint64_t const end = now() + ticks(us); now() < end; ++wrong.rounds) {
        Marks const marks(client_mark, wrong.rounds);
        uint64_t seen[kept]{}, x[9] = {server, wrong.rounds & 0xffff};
        for (unsigned n = 2; n < 8; ++n) { x[n] = wrong.rounds * 0x0101'0101'0101'0101 + n; }
        call_with(x, marks.of, seen);
        bool right = static_cast<Status>(x[0]) == Status::ok && x[1] == ((wrong.rounds & 0xffff) ^ 0xffff);
        for (unsigned n = 2; n < 7; ++n) { right &= x[n] == wrong.rounds * 0x0101'0101'0101'0101 + n + 1; }
        wrong.words += !right;
        wrong.foreign = x[7];
        for (unsigned n = 0; n < kept; ++n) { wrong.registers += seen[n] != marks.of[n]; }
    }
    return wrong;
}

} // namespace
} // namespace test

int main() {
    using namespace test;
    auto const& environment = Environment::get();
    auto const role = environment.string("property.role");
    if (role == "server") { serve_rounds(); }
    Handle const server = environment.handle("call.server");
    while (role == "rival") { call_rounds(server, 1'000'000); }
    auto const wrong = call_rounds(server, 1'000'000);
    check("words", 0, wrong.words);
    check("registers", 0, wrong.registers);
    check("foreign", 0, wrong.foreign);
    check_range("rounds", 1'000, ~0ull, wrong.rounds);
    finish();
}
