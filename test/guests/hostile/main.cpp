// SPDX-License-Identifier: MIT
// A hostile native partition: while it serves a VM's access, and when it preempts a VM, it reads and overwrites each register. If
// that is trapped, its life ends and the next one goes on.
#include "services/lib/environment.hpp"
#include "services/lib/serve.hpp"
#include "test/guests/between/protocol.hpp"

using namespace service;

namespace {

constexpr uint64_t poison = 0x6969'6969'6969'6969;

struct Register {
    std::string_view name;
    uint64_t (*read)();
    void (*write)();
};

#define REGISTER(name, encoding)                                                                                                   \
    {#name,                                                                                                                        \
     [] {                                                                                                                          \
         uint64_t value;                                                                                                           \
         asm volatile("mrs %0, " encoding : "=r"(value));                                                                          \
         return value;                                                                                                             \
     },                                                                                                                            \
     [] { asm volatile("msr " encoding ", %0\n isb" ::"r"(poison)                                                                  \
                       : "memory"); }},
#define VICTIM(name, encoding, bits) REGISTER(name, encoding)
#define FEATURE(name, encoding, bits, id, lsb, least) REGISTER(name, encoding)
#define KEPT(name, encoding) REGISTER(name, encoding)
#define OTHER(name, encoding) REGISTER(name, encoding)
constexpr Register registers[] = {
#include "test/guests/hostile/registers.def"
};
constexpr uint64_t count = sizeof(registers) / sizeof(registers[0]);

enum class Stage : uint64_t { begin, reading, between, writing };

/// Survives what is trapped.
struct State {
    uint64_t next; ///< register and, in bit 0, where from: 0 access, 1 preemption
    Stage stage;
    uint64_t value;
    bool read_trapped, done;
};
constinit State* state = nullptr;

void finish(std::string_view write) {
    std::string_view const from = (state->next & 1) == 0 ? "access" : "preemption";
    auto const name = registers[state->next / 2].name;
    if (state->read_trapped) {
        log("register", {{"name", name}, {"from", from}, {"read", "trapped"}, {"write", write}});
    } else {
        log("register", {{"name", name}, {"from", from}, {"read", Hex{state->value}}, {"write", write}});
    }
    ++state->next;
    state->stage = Stage::begin;
}

/// What the last life left.
void go_on() {
    if (state->stage == Stage::reading) {
        state->read_trapped = true;
        state->stage = Stage::between;
    } else if (state->stage == Stage::writing) {
        finish("trapped");
    }
}

void attack(uint64_t from) {
    if (state->next / 2 >= count) {
        if (!state->done) { log("done", {{"registers", count}}); }
        state->done = true;
        return;
    }
    if ((state->next & 1) != from) { return; }
    auto const& target = registers[state->next / 2];
    if (state->stage == Stage::begin) {
        state->read_trapped = false;
        __atomic_store_n(&state->stage, Stage::reading, __ATOMIC_SEQ_CST);
        state->value = target.read();
    }
    __atomic_store_n(&state->stage, Stage::writing, __ATOMIC_SEQ_CST);
    target.write();
    finish("done");
}

struct Hostile {
    uint64_t next = 0;

    Answer on(MmioRead const& m) {
        attack(0);
        return Answer::advance(between::device_word(m.address, m.badge + 1, 0));
    }
    Answer on(MmioWrite const&) {
        attack(0);
        return Answer::advance();
    }
    LongAnswer on(Call const&) { return Status::ok; } // of a VM it keeps nothing
    void on(Deadline) {
        attack(1);
        next = now() + ticks(700);
    }
    uint64_t deadline() const { return next; }
};

} // namespace

int main() {
    static Hostile hostile;
    state = Environment::get().region("state").as<State>();
    go_on();
    hostile.next = now() + ticks(700);
    serve(hostile);
}
