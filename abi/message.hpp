// SPDX-License-Identifier: MIT
// The message: one tag and six words in registers; what the core's own messages (trapped accesses) carry, and what an
// answer may ask of the core.
//
// Registers, received (what `reply_recv` returns):  x0 badge, x1 tag, x2..x7 words 0..5, x8 sequence number.
// Registers, sent by `call`:                         x0 handle, x1 tag, x2..x7 words.
// Registers, answer in `reply_recv`:                 x0 deadline, x1 tag (ReplyTag), x2..x7 words.
#pragma once
#include <cstdint>

namespace abi {

/// Who sent a message, in bits 16..23 of its tag. The core writes it: a client cannot forge one.
enum class Kind : uint8_t {
    call = 0,         ///< a native partition's `call`; label and words are its own
    mmio_read = 1,    ///< word 0: IPA. Answer word 0: the value read (zero-extended; the core applies width and sign)
    mmio_write = 2,   ///< word 0: IPA, word 1: the value, zero-extended
    sysreg_read = 3,  ///< MRS. word 0: the register (see sysreg()). Answer word 0: the value
    sysreg_write = 4, ///< MSR. word 0: the register, word 1: the value
    smccc = 5,        ///< HVC #0 or SMC #0. words 0..5: x0..x5 of the caller. Answer words 0..3 go to x0..x3.
                      ///< Label: 0 by HVC, 1 by SMC
    wfx = 6,          ///< WFI or WFE. word 0: the guest's CNTV deadline in CNTPCT ticks (~0: none armed).
                      ///< Label: 0 WFI, 1 WFE, 2 WFIT, 3 WFET
    signals = 7,      ///< not a request: word 0: the set of signals that were pending, now taken. The answer is ignored
    deadline = 8,     ///< not a request: the deadline given to `reply_recv` passed. The answer is ignored
    refused = 9,      ///< no message: what signal_recv leaves as the tag if it cannot be done; x0 is the status then
};

/// The tag of a received message.
struct Tag {
    uint64_t bits = 0;
    constexpr uint16_t label() const { return static_cast<uint16_t>(bits); }
    constexpr Kind kind() const { return static_cast<Kind>(bits >> 16 & 0xff); }
    constexpr bool repeated() const {
        return bits >> 24 & 1;
    }                                                             ///< delivered before: server was killed before it
                                                                  ///< answered
    constexpr unsigned size() const { return bits >> 32 & 0xff; } ///< of an MMIO access: 1, 2, 4 or 8 bytes
    constexpr unsigned vcpu() const { return bits >> 40 & 0xff; } ///< the sender's vCPU index in its partition
    static constexpr uint64_t repeated_bit = 1u << 24;
    static constexpr Tag make(Kind kind, uint16_t label, unsigned size, unsigned vcpu) {
        return {label | static_cast<uint64_t>(kind) << 16 | static_cast<uint64_t>(size) << 32 | static_cast<uint64_t>(vcpu) << 40};
    }
};

/// What the core does with the sender of a trapped access (bits 16..19 of the answer's tag).
enum class Action : uint8_t {
    advance = 0,   ///< word 0 goes to the destination register of a read; the PC moves past the instruction.
                   ///< For a native caller: it receives the tag's label and the words
    retry = 1,     ///< nothing is written, the instruction runs again
    wait = 2,      ///< advance, then block until an interrupt can be delivered or CNTPCT reaches word 1 (~0: no
                   ///< deadline)
    undefined = 3, ///< inject an Undefined Instruction exception at the instruction
    abort = 4,     ///< inject a synchronous external abort at the instruction
    fault = 5,     ///< suspend the vCPU and report it to its supervisor (reason: refused); word 0 is kept as detail
    off = 6,       ///< the vCPU stays off (PSCI CPU_OFF) until vcpu_control start
};

/// The tag of an answer. label: an abi::Status or the protocol's reply label for native callers.
struct ReplyTag {
    uint64_t bits = 0;
    constexpr uint16_t label() const { return static_cast<uint16_t>(bits); }
    constexpr Action action() const { return static_cast<Action>(bits >> 16 & 0xf); }
    static constexpr ReplyTag make(Action action, uint16_t label = 0) { return {label | static_cast<uint64_t>(action) << 16}; }
};

/// word 0 of sysreg_read and sysreg_write: the register's encoding op0:op1:CRn:CRm:op2, as in ESR_EL2.ISS
/// (Arm ARM, "ISS encoding for an exception from MSR, MRS"), with Rt and direction zero.
constexpr uint32_t sysreg(unsigned op0, unsigned op1, unsigned crn, unsigned crm, unsigned op2) {
    return op0 << 20 | op2 << 17 | op1 << 14 | crn << 10 | crm << 1;
}

constexpr unsigned message_words = 6;
constexpr unsigned max_call_depth = 8; ///< of a chain of calls, the first caller not counted
constexpr uint64_t no_deadline = ~0ull;

struct Message {
    uint64_t badge;
    Tag tag;
    uint64_t words[message_words];
    uint64_t sequence; ///< per calling vCPU, from 1, one more for each new request; the same when repeated
};

} // namespace abi
