// SPDX-License-Identifier: MIT
// What a service's handlers take and give: one struct per kind of message, and the answers.
#pragma once
#include "abi/message.hpp"
#include "abi/status.hpp"
#include <cstdint>

namespace service {

/// What every request carries.
struct Request {
    uint64_t badge;    ///< whom from: a client's index, or what the capability was minted with
    unsigned vcpu;     ///< the sender's vCPU index in its partition
    bool repeated;     ///< delivered before: this service was killed before it answered
    uint64_t sequence; ///< per sending vCPU, from 1; the same when repeated
};

struct MmioRead : Request {
    uint64_t address; ///< IPA
    unsigned size;    ///< 1, 2, 4 or 8 bytes
};
struct MmioWrite : Request {
    uint64_t address;
    unsigned size;
    uint64_t value; ///< zero-extended
};
struct SysregRead : Request {
    uint32_t reg; ///< abi::sysreg(...)
};
struct SysregWrite : Request {
    uint32_t reg;
    uint64_t value;
};
/// The guest executes WFI or WFE.
struct Wait : Request {
    uint64_t deadline;    ///< of its CNTV timer in CNTPCT ticks, abi::no_deadline if none is armed
    uint16_t instruction; ///< 0 WFI, 1 WFE, 2 WFIT, 3 WFET: the label of abi::Kind::wfx
};
struct Smccc : Request {
    uint64_t words[abi::message_words]; ///< x0..x5 of the caller
    bool by_smc;                        ///< else by HVC #0
};
struct Call : Request {
    uint16_t label;
    uint64_t words[abi::message_words];
};
/// The signals that were pending, now taken.
struct Signals {
    uint64_t set;
};
/// The deadline that the service's deadline() gave has passed.
struct Deadline {};

/// The answer to a trapped access: what the core shall do, and one value.
struct Answer {
    uint64_t value;
    abi::ReplyTag tag;

    static constexpr Answer advance(uint64_t value = 0) { return {value, abi::ReplyTag::make(abi::Action::advance)}; }
    /// The instruction runs again: something (a lock) was not to be had just now.
    static constexpr Answer retry() { return {0, abi::ReplyTag::make(abi::Action::retry)}; }
    /// Advance, and block until an interrupt or this time in CNTPCT ticks.
    static constexpr Answer wait(uint64_t until = abi::no_deadline) { return {until, abi::ReplyTag::make(abi::Action::wait)}; }
    static constexpr Answer undefined() { return {0, abi::ReplyTag::make(abi::Action::undefined)}; }
    static constexpr Answer abort() { return {0, abi::ReplyTag::make(abi::Action::abort)}; }
    /// Suspends the vCPU and tells its supervisor.
    static constexpr Answer fault(uint64_t detail) { return {detail, abi::ReplyTag::make(abi::Action::fault)}; }
    static constexpr Answer off() { return {0, abi::ReplyTag::make(abi::Action::off)}; }
};

/// The answer to a call or an SMCCC call: a tag and up to six words. Made from a status, or from an
/// Answer.
struct LongAnswer {
    abi::ReplyTag tag;
    uint64_t words[abi::message_words] = {};

    constexpr LongAnswer() = default;
    constexpr LongAnswer(abi::Status status) : tag(abi::ReplyTag::make(abi::Action::advance, static_cast<uint16_t>(status))) {}
    constexpr LongAnswer(Answer answer) : tag(answer.tag), words{answer.value, answer.value} {}

    /// A label (most protocols: an abi::Status) and words.
    template <typename Label, typename... Words> static constexpr LongAnswer make(Label label, Words... words) {
        LongAnswer answer;
        answer.tag = abi::ReplyTag::make(abi::Action::advance, static_cast<uint16_t>(label));
        uint64_t const given[] = {static_cast<uint64_t>(words)..., 0};
        static_assert(sizeof...(Words) <= abi::message_words);
#pragma GCC unroll 6
        for (unsigned i = 0; i < sizeof...(Words); ++i) { answer.words[i] = given[i]; }
        return answer;
    }
    /// x0..x3 of an SMCCC caller.
    static constexpr LongAnswer smccc(uint64_t x0, uint64_t x1 = 0, uint64_t x2 = 0, uint64_t x3 = 0) {
        return make(0, x0, x1, x2, x3);
    }
};

} // namespace service
