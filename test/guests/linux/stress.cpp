// SPDX-License-Identifier: MIT
// Runs under Linux in a VM: `stress fp|fork|signal|clock|count N`. What is wrong is said with WRONG and the status is 1.
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <vector>

namespace {

struct alignas(16) Vectors {
    uint64_t words[64]; // v0 to v31
    uint64_t fpcr;
};

Vectors pattern(uint64_t seed) {
    Vectors vectors{};
    for (auto& word : vectors.words) { word = seed = seed * 6'364'136'223'846'793'005 + 1'442'695'040'888'963'407; }
    vectors.fpcr = (seed >> 60 & 3) << 22; // a rounding mode
    return vectors;
}

/// Loads all of FP/SIMD, gives the CPU away `yields` times in between, and stores all of it. No compiled code runs meanwhile.
void keep(Vectors const& in, Vectors& out, long yields) {
    register long count asm("x19") = yields;
    asm volatile("ldr x9, [%1, #512]\n msr fpcr, x9\n"
                 "ldp q0, q1, [%1]\n ldp q2, q3, [%1, #32]\n ldp q4, q5, [%1, #64]\n ldp q6, q7, [%1, #96]\n"
                 "ldp q8, q9, [%1, #128]\n ldp q10, q11, [%1, #160]\n ldp q12, q13, [%1, #192]\n ldp q14, q15, [%1, #224]\n"
                 "ldp q16, q17, [%1, #256]\n ldp q18, q19, [%1, #288]\n ldp q20, q21, [%1, #320]\n ldp q22, q23, [%1, #352]\n"
                 "ldp q24, q25, [%1, #384]\n ldp q26, q27, [%1, #416]\n ldp q28, q29, [%1, #448]\n ldp q30, q31, [%1, #480]\n"
                 "1: mov x8, #124\n svc #0\n" // sched_yield
                 "mov x10, #2000\n 2: subs x10, x10, #1\n b.ne 2b\n"
                 "subs %0, %0, #1\n b.gt 1b\n"
                 "stp q0, q1, [%2]\n stp q2, q3, [%2, #32]\n stp q4, q5, [%2, #64]\n stp q6, q7, [%2, #96]\n"
                 "stp q8, q9, [%2, #128]\n stp q10, q11, [%2, #160]\n stp q12, q13, [%2, #192]\n stp q14, q15, [%2, #224]\n"
                 "stp q16, q17, [%2, #256]\n stp q18, q19, [%2, #288]\n stp q20, q21, [%2, #320]\n stp q22, q23, [%2, #352]\n"
                 "stp q24, q25, [%2, #384]\n stp q26, q27, [%2, #416]\n stp q28, q29, [%2, #448]\n stp q30, q31, [%2, #480]\n"
                 "mrs x9, fpcr\n str x9, [%2, #512]\n msr fpcr, xzr\n"
                 : "+r"(count)
                 : "r"(&in), "r"(&out)
                 : "x0", "x8", "x9", "x10", "cc", "memory", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10",
                   "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26",
                   "v27", "v28", "v29", "v30", "v31");
}

bool kept(uint64_t seed, long yields) {
    const Vectors in = pattern(seed);
    Vectors out{};
    keep(in, out, yields);
    return memcmp(&in, &out, sizeof(in)) == 0;
}

/// A sum whose last bits any disturbance would change.
double series(unsigned terms) {
    double sum = 0;
    for (unsigned n = 1; n <= terms; ++n) { sum += (n % 2 != 0 ? 1.0 : -1.0) / n; }
    return sum;
}

/// Status of a child, or 1 if it did not exit by itself.
int wait_for(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int fp(long rounds) {
    const long processes = 2 * sysconf(_SC_NPROCESSORS_ONLN) + 1;
    const double expected = series(10'000);
    std::vector<pid_t> children;
    for (long n = 0; n < processes; ++n) {
        const pid_t child = fork();
        if (child == 0) {
            for (long round = 0; round < rounds; ++round) {
                const auto seed = static_cast<uint64_t>(getpid()) << 32 | static_cast<uint64_t>(round);
                if (!kept(seed, 3) || series(10'000) != expected) { _exit(1); }
            }
            _exit(0);
        }
        children.push_back(child);
    }
    int bad = 0;
    for (const pid_t child : children) { bad += wait_for(child); }
    printf("fp: %ld processes, %ld rounds%s\n", processes, rounds, bad != 0 ? ": WRONG" : "");
    return bad;
}

int forks(long rounds, char const* self) {
    int bad = 0;
    for (long round = 0; round < rounds; ++round) {
        const int wanted = static_cast<int>(round % 200);
        const pid_t child = fork();
        if (child == 0) {
            char text[8];
            snprintf(text, sizeof(text), "%d", wanted);
            execl(self, self, "exit", text, nullptr);
            _exit(255);
        }
        bad += wait_for(child) != wanted;
    }
    printf("fork: %ld processes%s\n", rounds, bad != 0 ? ": WRONG" : "");
    return bad;
}

std::atomic<long> received, alarms;
double volatile spoiled;

void on_ping(int) {
    spoiled = series(50); // uses the registers that the interrupted code has values in
    ++received;
}
void on_alarm(int) {
    spoiled = series(50);
    ++alarms;
}

void wait_until(long count) {
    sigset_t none, blocked;
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, nullptr);
    while (received.load() < count) { sigsuspend(&none); }
    sigprocmask(SIG_UNBLOCK, &blocked, nullptr);
}

/// Two processes signal each other in turn, and a timer interrupts both while they hold all FP registers.
int signals(long rounds) {
    struct sigaction ping {
    }, alarm{};
    ping.sa_handler = on_ping;
    alarm.sa_handler = on_alarm;
    sigaction(SIGUSR1, &ping, nullptr);
    sigaction(SIGALRM, &alarm, nullptr);
    const pid_t parent = getpid();
    const pid_t child = fork();
    const itimerval often{{0, 1000}, {0, 1000}};
    setitimer(ITIMER_REAL, &often, nullptr);
    int bad = 0;
    for (long round = 1; round <= rounds; ++round) {
        if (child == 0) { wait_until(round); }
        kill(child == 0 ? parent : child, SIGUSR1);
        bad += !kept(static_cast<uint64_t>(round), 2);
        if (child != 0) { wait_until(round); }
    }
    while (alarms.load() < 10) {
        for (long n = 0; n < 100; ++n) { bad += !kept(7, 2); }
    }
    const itimerval never{};
    setitimer(ITIMER_REAL, &never, nullptr);
    if (child == 0) { _exit(bad != 0 || received != rounds ? 1 : 0); }
    bad += wait_for(child) + (received != rounds ? 1 : 0);
    printf("signal: %ld rounds%s\n", rounds, bad != 0 ? ": WRONG" : "");
    return bad;
}

int64_t now(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return time.tv_sec * 1'000'000'000ll + time.tv_nsec;
}

/// Time never goes back, whichever CPU is asked.
int clocks(long seconds) {
    const int cpus = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
    const int64_t begin = now(CLOCK_MONOTONIC);
    int64_t last = begin, back = 0;
    for (int turn = 0; last - begin < seconds * 1'000'000'000ll; ++turn) {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(turn % cpus, &one);
        sched_setaffinity(0, sizeof(one), &one);
        for (int n = 0; n < 1000; ++n) {
            const int64_t time = now(n % 2 != 0 ? CLOCK_MONOTONIC : CLOCK_MONOTONIC_RAW);
            if (n % 2 == 0) { continue; }
            back += time < last;
            last = time;
        }
    }
    printf("clock: %ld s%s\n", seconds, back != 0 ? ": WRONG" : "");
    return back != 0;
}

/// How much one process gets done in some seconds of the guest's time.
int count(long seconds) {
    const int64_t end = now(CLOCK_MONOTONIC) + seconds * 1'000'000'000ll;
    long rounds = 0;
    for (; now(CLOCK_MONOTONIC) < end; ++rounds) { spoiled = series(1000); }
    printf("count: %ld\n", rounds);
    return 0;
}

/// What test_linux.py computes, too.
class Noise {
public:
    uint8_t next() { return static_cast<uint8_t>((state_ = state_ * 1'664'525 + 1'013'904'223) >> 24); }

private:
    uint32_t state_ = 1;
};

/// The terminal passes every byte as it is.
class Raw {
public:
    Raw() {
        tcgetattr(0, &before_);
        termios raw = before_;
        cfmakeraw(&raw);
        tcsetattr(0, TCSAFLUSH, &raw);
    }
    ~Raw() { tcsetattr(0, TCSADRAIN, &before_); }
    Raw(Raw const&) = delete;
    Raw& operator=(Raw const&) = delete;

private:
    termios before_{};
};

int bytes_out(long size) {
    const Raw raw;
    Noise noise;
    for (long done = 0; done < size;) {
        uint8_t part[4096];
        const long count = size - done < 4096 ? size - done : 4096;
        for (long n = 0; n < count; ++n) { part[n] = noise.next(); }
        for (long sent = 0; sent < count;) {
            const ssize_t now = write(1, part + sent, static_cast<size_t>(count - sent));
            if (now < 0) { return 1; }
            sent += now;
        }
        done += count;
    }
    return 0;
}

int bytes_in(long size) {
    long done = 0, bad = 0;
    {
        const Raw raw;
        Noise noise;
        puts("in: ready\r");
        fflush(stdout);
        while (done < size && bad == 0) {
            uint8_t part[4096];
            const ssize_t count = read(0, part, sizeof(part));
            if (count <= 0) { break; }
            for (long n = 0; n < count; ++n, ++done) { bad += part[n] != noise.next(); }
        }
    }
    printf("in: %ld bytes%s\n", done, bad != 0 || done != size ? ": WRONG" : "");
    return bad != 0 || done != size;
}

volatile sig_atomic_t overflows = 0;
void note_overflow(int) { overflows = overflows + 1; }

/// Counts own cycles with the PMU; each million of them raises its interrupt, which becomes a signal.
int perf(long rounds) {
    perf_event_attr attributes{};
    attributes.size = sizeof(attributes);
    attributes.type = PERF_TYPE_HARDWARE;
    attributes.config = PERF_COUNT_HW_CPU_CYCLES;
    attributes.sample_period = 1'000'000;
    attributes.wakeup_events = 1;
    attributes.disabled = 1;
    const int event = static_cast<int>(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
    if (event < 0) {
        printf("perf: no event: WRONG: %s\n", strerror(errno));
        return 1;
    }
    signal(SIGIO, note_overflow);
    fcntl(event, F_SETOWN, getpid());
    fcntl(event, F_SETFL, O_ASYNC);
    ioctl(event, PERF_EVENT_IOC_REFRESH, 1000);
    for (long n = 0; n < rounds * 1'000'000; ++n) { asm volatile(""); }
    uint64_t cycles = 0;
    const bool got = read(event, &cycles, sizeof(cycles)) == sizeof(cycles);
    const bool wrong = !got || cycles == 0 || overflows == 0;
    printf("perf: cycles=%lu overflows=%d%s\n", cycles, static_cast<int>(overflows), wrong ? " WRONG" : "");
    return wrong;
}

int usage() {
    fputs("stress fp|fork|signal ROUNDS; clock|count SECONDS; perf MILLIONS; out|in BYTES\n", stderr);
    return 2;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 3) { return usage(); }
    const std::string_view what = argv[1];
    const long number = strtol(argv[2], nullptr, 10);
    int bad = 0;
    if (what == "exit") {
        return static_cast<int>(number);
    } else if (what == "fp") {
        bad = fp(number);
    } else if (what == "fork") {
        bad = forks(number, "/bin/stress");
    } else if (what == "signal") {
        bad = signals(number);
    } else if (what == "clock") {
        bad = clocks(number);
    } else if (what == "count") {
        bad = count(number);
    } else if (what == "perf") {
        bad = perf(number);
    } else if (what == "out") {
        bad = bytes_out(number);
        puts("");
    } else if (what == "in") {
        bad = bytes_in(number);
    } else {
        return usage();
    }
    return bad != 0;
}
