// SPDX-License-Identifier: MIT
// What Linux's user space does most, timed by CNTVCT: `work` does all, `work NAME...` some; with `twice` among the names, twice, and
// with `hvc0`, the console is that. No libc: what is counted is the kernel's.
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace {

enum class Call : long {
    ioctl = 29,
    openat = 56,
    pipe2 = 59,
    read = 63,
    write = 64,
    exit = 93,
    nanosleep = 101,
    getppid = 173,
    munmap = 215,
    clone = 220,
    execve = 221,
    mmap = 222,
    madvise = 233,
    wait4 = 260,
};

template <typename... Arguments> long call(Call number, Arguments... arguments) {
    long const values[6] = {(long)arguments...};
    register long x8 asm("x8") = static_cast<long>(number);
    register long x0 asm("x0") = values[0];
    register long x1 asm("x1") = values[1];
    register long x2 asm("x2") = values[2];
    register long x3 asm("x3") = values[3];
    register long x4 asm("x4") = values[4];
    register long x5 asm("x5") = values[5];
    asm volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
    return x0;
}

[[noreturn]] void leave(long status) {
    call(Call::exit, status);
    __builtin_trap();
}

constexpr int standard_output = 1;

void print(std::string_view text, int to = standard_output) {
    while (!text.empty()) {
        long const count = call(Call::write, to, text.data(), text.size());
        if (count <= 0) { leave(3); }
        text.remove_prefix(static_cast<size_t>(count));
    }
}

void print(uint64_t value) {
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = static_cast<char>('0' + value % 10);
        value /= 10;
    } while (value != 0);
    print(std::string_view(digits + at, sizeof(digits) - at));
}

int the_console = standard_output;

/// Until the terminals have sent all.
void drain() {
    constexpr long tcsbrk = 0x5409;
    call(Call::ioctl, standard_output, tcsbrk, 1);
    if (the_console != standard_output) { call(Call::ioctl, the_console, tcsbrk, 1); }
}

[[noreturn]] void fail(std::string_view what) {
    print("work: ");
    print(what);
    print(" WRONG\n");
    leave(1);
}

/// What a system call that must not fail gives.
long need(long result, std::string_view what) {
    if (result < 0) { fail(what); }
    return result;
}

constexpr long sigchld = 17;

long fork() { return need(call(Call::clone, sigchld, 0, 0, 0, 0), "fork"); }

void wait_for(long child) {
    int status = -1;
    if (call(Call::wait4, child, &status, 0, 0) != child || status != 0) { fail("child"); }
}

uint64_t system_calls(char const*) {
    constexpr uint64_t rounds = 50'000;
    for (uint64_t n = 0; n < rounds; ++n) { call(Call::getppid); }
    return rounds;
}

uint64_t sleeps(char const*) {
    constexpr uint64_t rounds = 300;
    constexpr long millisecond[2] = {0, 1'000'000};
    for (uint64_t n = 0; n < rounds; ++n) { need(call(Call::nanosleep, millisecond, 0), "nanosleep"); }
    return rounds;
}

uint64_t forks(char const* self) {
    constexpr uint64_t rounds = 1000; // a hundred take as little as four ticks: what the kernel does beside them would count
    char const* const arguments[] = {self, "exit", nullptr};
    char const* const environment[] = {nullptr};
    for (uint64_t n = 0; n < rounds; ++n) {
        long const child = fork();
        if (child == 0) {
            call(Call::execve, self, arguments, environment);
            leave(2);
        }
        wait_for(child);
    }
    return rounds;
}

/// A fault for each page: no huge ones.
uint64_t page_faults(char const*) {
    constexpr uint64_t rounds = 4, page = 4096, pages = 4096;
    constexpr long read_write = 3, private_anonymous = 0x22, no_huge_pages = 15;
    for (uint64_t n = 0; n < rounds; ++n) {
        long const area = need(call(Call::mmap, 0, pages * page, read_write, private_anonymous, -1, 0), "mmap");
        need(call(Call::madvise, area, pages * page, no_huge_pages), "madvise");
        auto* const bytes = reinterpret_cast<uint8_t volatile*>(area);
        for (uint64_t at = 0; at < pages * page; at += page) { bytes[at] = 1; }
        need(call(Call::munmap, area, pages * page), "munmap");
    }
    return rounds * pages;
}

uint64_t pipes(char const*) {
    constexpr uint64_t rounds = 2000;
    int there[2], back[2];
    need(call(Call::pipe2, there, 0), "pipe");
    need(call(Call::pipe2, back, 0), "pipe");
    char byte = 0;
    long const child = fork();
    for (uint64_t n = 0; n < rounds; ++n) {
        if (child != 0) { need(call(Call::write, there[1], &byte, 1), "write"); }
        if (call(Call::read, child != 0 ? back[0] : there[0], &byte, 1) != 1) { fail("read"); }
        if (child == 0) { need(call(Call::write, back[1], &byte, 1), "write"); }
    }
    if (child == 0) { leave(0); }
    wait_for(child);
    return rounds;
}

/// Lines, as a program prints them.
uint64_t console(char const*) {
    constexpr std::string_view line = "0123456789abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQ\n";
    static_assert(line.size() == 64);
    constexpr uint64_t lines = 96;
    for (uint64_t n = 0; n < lines; ++n) { print(line, the_console); }
    drain();
    return lines * line.size();
}

void open_hvc0() {
    constexpr long read_write_no_terminal = 2 | 0400, from_here = -100;
    the_console = static_cast<int>(need(call(Call::openat, from_here, "/dev/hvc0", read_write_no_terminal, 0), "hvc0"));
}

uint64_t now() {
    uint64_t ticks;
    asm volatile("isb\n mrs %0, cntvct_el0" : "=r"(ticks)::"memory");
    return ticks;
}

struct Workload {
    std::string_view name;
    uint64_t (*run)(char const* self); ///< gives the number of rounds
};
constexpr Workload workloads[] = {
    {"syscalls", system_calls}, {"sleeps", sleeps}, {"forks", forks},
    {"faults", page_faults},    {"pipes", pipes},   {"console", console},
};

void measure(Workload const& workload, char const* self, bool twice) {
    drain();
    uint64_t const begin = now();
    uint64_t rounds = workload.run(self);
    if (twice) { rounds += workload.run(self); }
    uint64_t const ticks = now() - begin;
    print("work: ");
    print(workload.name);
    print(" rounds=");
    print(rounds);
    print(" ticks=");
    print(ticks);
    print("\n");
}

/// (The compiler makes calls of string_view's own comparison.)
bool is(char const* argument, std::string_view name) {
    for (char const character : name) {
        if (*argument++ != character) { return false; }
    }
    return *argument == 0;
}

/// A raw stack of the kernel's: the count of arguments, then they.
[[noreturn, gnu::used]] void start(uint64_t const* stack) asm("start_work");
void start(uint64_t const* stack) {
    auto const count = stack[0];
    auto const* const arguments = reinterpret_cast<char const* const*>(stack + 1);
    auto const said = [&](std::string_view word) {
        bool found = false;
        for (uint64_t n = 1; n < count; ++n) { found |= is(arguments[n], word); }
        return found;
    };
    if (said("exit")) { leave(0); }
    if (said("hvc0")) { open_hvc0(); }
    for (auto const& workload : workloads) {
        if (count == 1 || said(workload.name)) { measure(workload, arguments[0], said("twice")); }
    }
    drain();
    leave(0);
}

} // namespace

asm(".globl _start\n"
    "_start: mov x0, sp\n"
    "b start_work\n");
