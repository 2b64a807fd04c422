// SPDX-License-Identifier: MIT
// Owns `crasher`: a service that faults in each way that a program can which touches no EL1 register: while it serves a guest, while
// it serves a caller, and when it preempts. An exception at EL1 writes ELR_EL1, SPSR_EL1, ESR_EL1 and FAR_EL1, whoever's they are.
#include "abi/protocol/client.hpp"
#include "services/lib/environment.hpp"
#include "services/lib/serve.hpp"
#include "test/guests/between/protocol.hpp"

using namespace service;

// Where guests have their VBAR_EL1: an exception here that went through it would be nobody's fault.
asm(".pushsection .text.vectors, \"ax\"\n .balign 0x800\n .global crasher_vectors\ncrasher_vectors:\n"
    ".rept 16\n b crasher_escaped\n .balign 0x80\n .endr\n .popsection");
extern "C" char const crasher_vectors[];

namespace {

/// Beyond what any CPU has: its physical addresses have 52 bits at most. Nothing is mapped at the other one.
constexpr uint64_t beyond = 1ull << 54, unmapped = 0x5000'0000, vectors = 0x7f'ffff'fa00; ///< the last one: VBAR_EL1 + 0x200

void load(uint64_t from) { asm volatile("ldr x9, [%0]" : : "r"(from) : "x9", "memory"); }
void store(uint64_t to) { asm volatile("str xzr, [%0]" : : "r"(to) : "memory"); }
void jump(uint64_t to) { asm volatile("blr %0" : : "r"(to) : "x30", "memory"); }

extern "C" [[gnu::used]] void crasher_escaped() {
    log("escaped");
    jump(unmapped);
}

struct Crash {
    std::string_view kind;
    void (*now)();
};
constexpr Crash crashes[] = {
    {"svc", [] { asm volatile("svc #0x33"); }},
    {"udf", [] { asm volatile("udf #0x44"); }},
    {"brk", [] { asm volatile("brk #0x55"); }},
    {"load-beyond", [] { load(beyond); }},
    {"store-beyond", [] { store(beyond); }},
    {"branch-beyond", [] { jump(beyond); }},
    {"branch-misaligned", [] { jump(reinterpret_cast<uint64_t>(crasher_vectors) + 2); }},
    {"load-unmapped", [] { load(unmapped); }},
    {"branch-unmapped", [] { jump(unmapped); }},
    {"branch-vectors", [] { jump(vectors); }},
};
constexpr uint64_t kinds = sizeof(crashes) / sizeof(crashes[0]);

enum From : uint64_t { access, request, preemption, ways };
constexpr std::string_view names[] = {"access", "request", "preemption"};

/// Survives the crashes.
struct State {
    uint64_t lives, next; ///< next: kind * ways + from
    uint64_t waited;      ///< so often it has not crashed
    bool done;
};

class Crasher {
public:
    explicit Crasher(State* state) : state_(state) { ++state_->lives; }

    Answer on(MmioRead const& m) {
        crash(access);
        return Answer::advance(between::device_word(m.address, m.badge + 1, vectors()));
    }
    Answer on(MmioWrite const&) { return crash(access), Answer::advance(); }
    LongAnswer on(Call const& m) {
        if (m.badge == abi::client::control_badge) { return Status::ok; }
        if (m.label == between::Label::vectors) { return LongAnswer::make(Status::ok, vectors()); }
        crash(request);
        return Status::ok;
    }
    void on(Deadline) {
        crash(preemption);
        next_ = now() + ticks(700);
    }
    uint64_t deadline() const { return next_; }

private:
    static uint64_t vectors() { return reinterpret_cast<uint64_t>(crasher_vectors); }

    void crash(From from) {
        if (state_->done || state_->next % ways != from || ++state_->waited % 16 != 0) { return; }
        uint64_t const kind = state_->next / ways;
        if (kind == kinds) {
            log("done", {{"crashes", state_->next}, {"lives", state_->lives}});
            state_->done = true;
            return;
        }
        log("crash", {{"kind", crashes[kind].kind}, {"from", names[from]}});
        ++state_->next;
        crashes[kind].now();
        log("survived", {{"kind", crashes[kind].kind}});
    }

    State* state_;
    uint64_t next_ = now() + ticks(700);
};

} // namespace

int main() {
    static Crasher crasher{Environment::get().region("state").as<State>()};
    serve(crasher);
}
