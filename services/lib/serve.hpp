// SPDX-License-Identifier: MIT
// The serve loop: takes messages, calls the service's handler for each kind, answers. A handler
// that a service does not have answers as a machine without that device would.
#pragma once
#include "services/lib/cpu.hpp"
#include "services/lib/hypercall.hpp"
#include "services/lib/log.hpp"
#include "services/lib/message.hpp"
#include "services/lib/start.hpp"
#include <concepts>
#include <type_traits>

namespace service {
namespace detail {

template <typename T, typename Message>
concept Handles = requires(T& object, Message const& message) {
    object.on(message);
};

/// The one service of this partition; the loop of every vCPU uses it.
template <typename T> constinit inline T* served = nullptr;

inline Request request(abi::Message const& m) { return {m.badge, m.tag.vcpu(), m.tag.repeated(), m.sequence}; }

template <typename T, typename Message>
concept HandlesQuickly = requires(T& object, Message const& message, Answer& answer) {
    { object.quick(message, answer) } -> std::same_as<bool>;
};

/// The frequent kinds, with the message still in registers. False: dispatch() must take it.
template <typename T, typename Message>
[[gnu::always_inline]] inline bool try_quickly(T& object, Message const& message, Answer& answer) {
    if constexpr (HandlesQuickly<T, Message>) {
        return object.quick(message, answer);
    } else {
        answer = object.on(message);
        return true;
    }
}

/// Answers a guest's call to its firmware with x0 alone: the other registers stay the guest's.
template <typename T>
concept AnswersFirmwareQuickly = requires(T& object, Smccc const& message, uint64_t& x0) {
    { object.quick(message, x0) } -> std::same_as<bool>;
};

template <typename T, typename Message>
concept Frequent = HandlesQuickly<T, Message> || Handles<T, Message>;

template <typename T> [[gnu::always_inline]] inline bool quick(T& object, abi::Message const& m, Answer& answer) {
    auto const kind = m.tag.kind();
    auto const* w = m.words;
    if constexpr (Frequent<T, MmioRead>) {
        if (kind == abi::Kind::mmio_read) [[likely]] {
            return try_quickly(object, MmioRead{request(m), w[0], m.tag.size()}, answer);
        }
    }
    if constexpr (Frequent<T, MmioWrite>) {
        if (kind == abi::Kind::mmio_write) [[likely]] {
            return try_quickly(object, MmioWrite{request(m), w[0], m.tag.size(), w[1]}, answer);
        }
    }
    if constexpr (Frequent<T, SysregRead>) {
        if (kind == abi::Kind::sysreg_read) {
            return try_quickly(object, SysregRead{request(m), static_cast<uint32_t>(w[0])}, answer);
        }
    }
    if constexpr (Frequent<T, SysregWrite>) {
        if (kind == abi::Kind::sysreg_write) {
            auto const reg = static_cast<uint32_t>(w[0]);
            return try_quickly(object, SysregWrite{request(m), reg, w[1]}, answer);
        }
    }
    if constexpr (Frequent<T, Wait>) {
        if (kind == abi::Kind::wfx) { return try_quickly(object, Wait{request(m), w[0], m.tag.label()}, answer); }
    }
    return false;
}

/// The same for a firmware call.
template <typename T> [[gnu::always_inline]] inline bool quick_firmware(T& object, abi::Message const& m, uint64_t& x0) {
    if constexpr (AnswersFirmwareQuickly<T>) {
        auto const* w = m.words;
        bool const by_smc = m.tag.label() == 1;
        return m.tag.kind() == abi::Kind::smccc &&
               object.quick(Smccc{request(m), {w[0], w[1], w[2], w[3], w[4], w[5]}, by_smc}, x0);
    } else {
        return false;
    }
}

/// Every other message, what quick() did not do, and what nobody handles.
template <typename T> [[gnu::noinline]] LongAnswer dispatch(T& object, abi::Message const& m) {
    auto const* w = m.words;
    auto const reg = static_cast<uint32_t>(w[0]);
    switch (m.tag.kind()) {
    case abi::Kind::call:
        if constexpr (Handles<T, Call>) { return object.on(Call{request(m), m.tag.label(), {w[0], w[1], w[2], w[3], w[4], w[5]}}); }
        return abi::Status::unsupported;
    case abi::Kind::smccc:
        if constexpr (Handles<T, Smccc>) {
            return object.on(Smccc{request(m), {w[0], w[1], w[2], w[3], w[4], w[5]}, m.tag.label() == 1});
        }
        return LongAnswer::smccc(~0ull); // NOT_SUPPORTED
    case abi::Kind::signals:
        if constexpr (Handles<T, Signals>) { object.on(Signals{w[0]}); }
        return {};
    case abi::Kind::deadline:
        if constexpr (Handles<T, Deadline>) { object.on(Deadline{}); }
        return {};
    case abi::Kind::sysreg_read:
        if constexpr (Handles<T, SysregRead>) { return object.on(SysregRead{request(m), reg}); }
        return Answer::undefined();
    case abi::Kind::sysreg_write:
        if constexpr (Handles<T, SysregWrite>) { return object.on(SysregWrite{request(m), reg, w[1]}); }
        return Answer::undefined();
    case abi::Kind::wfx:
        if constexpr (Handles<T, Wait>) { return object.on(Wait{request(m), w[0], m.tag.label()}); }
        return Answer::advance();
    case abi::Kind::mmio_read:
        if constexpr (Handles<T, MmioRead>) { return object.on(MmioRead{request(m), w[0], m.tag.size()}); }
        break;
    case abi::Kind::mmio_write:
        if constexpr (Handles<T, MmioWrite>) { return object.on(MmioWrite{request(m), w[0], m.tag.size(), w[1]}); }
        break;
    }
    return Answer::abort();
}

/// A service that says when in a variable of its own, which it changes.
template <typename T>
concept KeepsDeadline = requires(T& object, unsigned vcpu) {
    { object.deadline(vcpu) } -> std::same_as<uint64_t const&>;
};

/// Where that variable is.
template <typename T> uint64_t const* deadline_of(T& object, unsigned vcpu) {
    if constexpr (KeepsDeadline<T>) { return &object.deadline(vcpu); }
    return nullptr;
}

/// When the core shall wake this vCPU, in CNTPCT ticks.
template <typename T> [[gnu::always_inline]] inline uint64_t deadline(T& object, uint64_t const* kept) {
    if constexpr (KeepsDeadline<T>) {
        return *static_cast<uint64_t const volatile*>(kept);
    } else if constexpr (requires { object.deadline(); }) {
        return object.deadline();
    } else {
        return abi::no_deadline;
    }
}

/// reply_recv with an answer of two words; the message in its place. The vCPU is entered behind the
/// instruction with nothing but SP kept, so the compiler is told that every register is lost. The
/// words that are not given are not read by the core.
[[gnu::always_inline]] inline void reply_and_receive(abi::Message& m, uint64_t deadline, Answer answer) {
    register uint64_t x0 asm("x0") = deadline;
    register uint64_t x1 asm("x1") = answer.tag.bits;
    register uint64_t x2 asm("x2") = answer.value; // word 0: what a read gives
    register uint64_t x3 asm("x3") = answer.value; // word 1: until when Action::wait waits
    register uint64_t x4 asm("x4");
    register uint64_t x5 asm("x5");
    register uint64_t x6 asm("x6");
    register uint64_t x7 asm("x7");
    register uint64_t x8 asm("x8");
    asm volatile("hvc %9"
                 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "=r"(x4), "=r"(x5), "=r"(x6), "=r"(x7), "=r"(x8)
                 : "i"(static_cast<unsigned>(Hypercall::reply_recv))
                 : "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24",
                   "x25", "x26", "x27", "x28", "x29", "x30", "cc", "memory");
    m = {x0, {x1}, {x2, x3, x4, x5, x6, x7}, x8};
}

/// The same with all six words, none of which may hold anything by chance.
[[gnu::always_inline]] inline void reply_and_receive(abi::Message& m, uint64_t deadline, LongAnswer const& answer) {
    register uint64_t x0 asm("x0") = deadline;
    register uint64_t x1 asm("x1") = answer.tag.bits;
    register uint64_t x2 asm("x2") = answer.words[0];
    register uint64_t x3 asm("x3") = answer.words[1];
    register uint64_t x4 asm("x4") = answer.words[2];
    register uint64_t x5 asm("x5") = answer.words[3];
    register uint64_t x6 asm("x6") = answer.words[4];
    register uint64_t x7 asm("x7") = answer.words[5];
    register uint64_t x8 asm("x8");
    asm volatile("hvc %9"
                 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5), "+r"(x6), "+r"(x7), "=r"(x8)
                 : "i"(static_cast<unsigned>(Hypercall::reply_recv))
                 : "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24",
                   "x25", "x26", "x27", "x28", "x29", "x30", "cc", "memory");
    m = {x0, {x1}, {x2, x3, x4, x5, x6, x7}, x8};
}

template <typename T> void loop() {
    abi::Message m;
    T& object = *served<T>;
    uint64_t const* const kept = deadline_of(object, vcpu_index());
    reply_and_receive(m, deadline(object, kept), LongAnswer{});
    for (;;) {
        Answer answer;
        if (uint64_t x0 = 0; quick_firmware(object, m, x0)) {
            auto const* w = m.words;
            reply_and_receive(m, deadline(object, kept), LongAnswer::smccc(x0, w[1], w[2], w[3]));
        } else if (quick(object, m, answer)) [[likely]] {
            reply_and_receive(m, deadline(object, kept), answer);
        } else {
            abi::Message const copy = m; // so that only this path needs the message in memory
            LongAnswer const reply = dispatch(object, copy);
            reply_and_receive(m, deadline(object, kept), reply);
        }
    }
}

} // namespace detail

/// Serves with this object on every vCPU of the partition; does not return. Handlers run on several
/// vCPUs at once.
template <typename T> [[noreturn]] void serve(T& object) {
    static_assert(std::is_trivially_destructible_v<T>, "a service lives for ever");
    detail::served<T> = &object;
    publish_loop(&detail::loop<T>);
    detail::loop<T>();
    __builtin_unreachable();
}

} // namespace service
