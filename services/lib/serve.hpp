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

/// Answers a guest's read that was not delivered before, with the message still in registers: a register's value, or x0 of a
/// firmware call, whose other registers stay the guest's. False: on() must take it.
template <typename T, typename Message>
concept ReadsQuickly = requires(T& object, Message const& message, uint64_t& value) {
    { object.quick(message, value) } -> std::same_as<bool>;
};

/// The same for a write: true says that it is done.
template <typename T, typename Message>
concept WritesQuickly = requires(T& object, Message const& message) {
    { object.quick(message) } -> std::same_as<bool>;
};

/// An access of this kind which was not delivered before: its label is 0. The tag's upper half says how large it is, and whose.
inline bool is_first(abi::Message const& m, abi::Kind kind) {
    return static_cast<uint32_t>(m.tag.bits) == static_cast<uint32_t>(abi::Tag::make(kind, 0, 0, 0).bits);
}
inline Request first_request(abi::Message const& m) { return {m.badge, m.tag.vcpu(), false, m.sequence}; }

/// Every other message, what was not answered quickly, and what nobody handles.
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
    case abi::Kind::refused: return {};
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

/// What a register holds by chance.
[[gnu::always_inline]] inline uint64_t anything() {
    uint64_t value;
    asm volatile("" : "=r"(value));
    return value;
}

/// reply_recv or signal_recv, the next message in the place of the last one. The vCPU is entered behind the instruction with nothing
/// but SP kept, so the compiler is told that every register is lost. Words that are not given are not read by the core.
template <Hypercall number, typename... Words>
[[gnu::always_inline]] inline void receive_by(abi::Message& m, uint64_t first, abi::ReplyTag tag, Words... words) {
    constexpr unsigned count = sizeof...(Words);
    uint64_t const given[] = {words..., 0};
    register uint64_t x0 asm("x0") = first;
    register uint64_t x1 asm("x1") = tag.bits;
    register uint64_t x2 asm("x2") = count > 0 ? given[0] : anything();
    register uint64_t x3 asm("x3") = count > 1 ? given[1] : anything();
    register uint64_t x4 asm("x4") = count > 2 ? given[2] : anything();
    register uint64_t x5 asm("x5") = count > 3 ? given[3] : anything();
    register uint64_t x6 asm("x6") = count > 4 ? given[4] : anything();
    register uint64_t x7 asm("x7") = count > 5 ? given[5] : anything();
    register uint64_t x8 asm("x8");
    asm volatile("hvc %9"
                 : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4), "+r"(x5), "+r"(x6), "+r"(x7), "=r"(x8)
                 : "i"(static_cast<unsigned>(number))
                 : "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24",
                   "x25", "x26", "x27", "x28", "x29", "x30", "cc", "memory");
    m = {x0, {x1}, {x2, x3, x4, x5, x6, x7}, x8};
}

template <typename... Words>
[[gnu::always_inline]] inline void reply_and_receive(abi::Message& m, uint64_t deadline, abi::ReplyTag tag, Words... words) {
    receive_by<Hypercall::reply_recv>(m, deadline, tag, words...);
}

/// The same with a handler's answer: what a read gives, which is also until when Action::wait waits.
[[gnu::always_inline]] inline void reply_and_receive(abi::Message& m, uint64_t deadline, Answer answer) {
    reply_and_receive(m, deadline, answer.tag, answer.value, answer.value);
}

/// The same with all six words, none of which may hold anything by chance.
[[gnu::always_inline]] inline void reply_and_receive(abi::Message& m, uint64_t deadline, LongAnswer const& answer) {
    auto const* w = answer.words;
    reply_and_receive(m, deadline, answer.tag, w[0], w[1], w[2], w[3], w[4], w[5]);
}

/// Between storing a message and a call: without it the compiler would load the call's arguments first, for which x0, x1 and x8
/// would have to be moved out of the way as every message comes.
[[gnu::always_inline]] inline void keep_order() { asm volatile("" ::: "memory"); }

/// The object by a pointer in a register. (Its own one is on the stack, as nothing else outlives an answer, and would be loaded for each use.)
template <typename T> [[gnu::always_inline]] inline T& loaded(T& object) {
    T* here = &object;
    asm volatile("" : "+r"(here));
    return *here;
}

constexpr auto done = Answer::advance().tag;

/// Answers a frequent request; `m` is then the next message. False: dispatch() must take it.
template <typename T, typename Read>
[[gnu::always_inline]] inline bool serve_read(T& object, abi::Message& m, uint64_t const* kept, Read const& read) {
    if constexpr (ReadsQuickly<T, Read>) {
        uint64_t value = 0;
        T& here = loaded(object);
        if (!here.quick(read, value)) { return false; }
        reply_and_receive(m, deadline(here, kept), done, value);
    } else {
        keep_order();
        Answer const answer = object.on(read);
        reply_and_receive(m, deadline(object, kept), answer);
    }
    return true;
}
template <typename T, typename Write>
[[gnu::always_inline]] inline bool serve_write(T& object, abi::Message& m, uint64_t const* kept, Write const& write) {
    if constexpr (WritesQuickly<T, Write>) {
        T& here = loaded(object);
        if (!here.quick(write)) { return false; }
        reply_and_receive(m, deadline(here, kept), done);
    } else {
        keep_order();
        Answer const answer = object.on(write);
        reply_and_receive(m, deadline(object, kept), answer);
    }
    return true;
}

/// Writes come first: a device that has both answers them less quickly.
template <typename T> [[gnu::always_inline]] inline bool serve_quickly(T& object, abi::Message& m, uint64_t const* kept) {
    auto const* w = m.words;
    if constexpr (ReadsQuickly<T, Smccc>) {
        uint64_t x0 = 0;
        if (m.tag.kind() == abi::Kind::smccc &&
            object.quick(Smccc{request(m), {w[0], w[1], w[2], w[3], w[4], w[5]}, m.tag.label() == 1}, x0)) {
            reply_and_receive(m, deadline(object, kept), done, x0, w[1], w[2], w[3]);
            return true;
        }
    }
    if constexpr (WritesQuickly<T, MmioWrite> || Handles<T, MmioWrite>) {
        if (is_first(m, abi::Kind::mmio_write)) {
            return serve_write(object, m, kept, MmioWrite{first_request(m), w[0], m.tag.size(), w[1]});
        }
    }
    if constexpr (ReadsQuickly<T, MmioRead> || Handles<T, MmioRead>) {
        if (is_first(m, abi::Kind::mmio_read)) {
            return serve_read(object, m, kept, MmioRead{first_request(m), w[0], m.tag.size()});
        }
    }
    if constexpr (ReadsQuickly<T, SysregRead> || Handles<T, SysregRead>) {
        if (is_first(m, abi::Kind::sysreg_read)) {
            return serve_read(object, m, kept, SysregRead{first_request(m), static_cast<uint32_t>(w[0])});
        }
    }
    if constexpr (WritesQuickly<T, SysregWrite> || Handles<T, SysregWrite>) {
        if (is_first(m, abi::Kind::sysreg_write)) {
            return serve_write(object, m, kept, SysregWrite{first_request(m), static_cast<uint32_t>(w[0]), w[1]});
        }
    }
    if constexpr (Handles<T, Wait>) {
        if (m.tag.kind() == abi::Kind::wfx) { return serve_read(object, m, kept, Wait{request(m), w[0], m.tag.label()}); }
    }
    return false;
}

template <typename T> void loop() {
    abi::Message m;
    T& object = *served<T>;
    uint64_t const* const kept = deadline_of(object, vcpu_index());
    reply_and_receive(m, deadline(object, kept), LongAnswer{});
    for (;;) {
        if (serve_quickly(object, m, kept)) [[likely]] { continue; }
        abi::Message const copy = m; // so that only this path needs the message in memory
        keep_order();
        LongAnswer const reply = dispatch(object, copy);
        reply_and_receive(m, deadline(object, kept), reply);
    }
}

} // namespace detail

/// For a loop of one's own that hands work to and fro: signals, and waits for the next message, for less than half of what the two
/// cost one after the other. No request may be in hand. If it cannot, `m` says so: its tag is of Kind::refused, its badge the
/// abi::Status. Every register but SP is lost.
[[gnu::always_inline]] inline void signal_and_receive(abi::Message& m, Handle notification, uint64_t set, uint64_t deadline) {
    constexpr abi::ReplyTag refused{abi::Tag::make(abi::Kind::refused, 0, 0, 0).bits};
    detail::receive_by<Hypercall::signal_recv>(m, notification, refused, set, deadline);
}

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
