// SPDX-License-Identifier: MIT
// The shortest way: a VM's access to a device page goes to a server that waits, and its answer comes back; likewise a service's
// call. Everything that is not exactly so takes the general way in ipc.cpp, which does the same.
#pragma once
#include "ipc/ipc.hpp"
#include "ipc/message.hpp"
#include "vcpu/switching.hpp"

namespace bulkhead {

/// The message of write_message for a device access, without detours.
[[gnu::always_inline]] inline void write_access_message(const Vcpu& guest, uint64_t esr, uint64_t badge, uint64_t (&to)[31]) {
    constexpr uint64_t wnr = 6, sas = 22, srt = 16, write_step = 1u << 16;
    constexpr uint64_t read_tag = abi::Tag::make(abi::Kind::mmio_read, 0, 0, 0).bits;
    static_assert(read_tag + write_step == abi::Tag::make(abi::Kind::mmio_write, 0, 0, 0).bits);
    uint64_t log2_size = esr >> sas & 3, value = 0;
    to[0] = badge;
    to[1] = read_tag + (esr >> wnr & 1) * write_step + (1ull << 32 << log2_size) + (static_cast<uint64_t>(guest.index) << 40);
    to[2] = guest.ipa;
    if (esr >> wnr & 1) {
        uint64_t rt = esr >> srt & 31, unused = 64 - (8u << log2_size);
        value = rt == 31 ? 0 : guest.context.x[rt] << unused >> unused;
    }
    to[3] = value;
    to[4] = to[5] = to[6] = to[7] = 0;
    to[8] = guest.sequence;
}

[[gnu::always_inline]] inline Vcpu* device_request(Core& core, Vcpu& guest, uint64_t esr, DevicePage page) {
    Slot* slot = objects.find(page.endpoint());
    Vcpu* server = slot ? slot->endpoint.server[core.index] : nullptr;
    if (!server || server->standing != Vcpu::just_waiting || guest.leaves_slowly) [[unlikely]] {
        return make_request(core, guest, page.endpoint(), page.badge());
    }
    guest.endpoint = page.endpoint();
    guest.badge = page.badge();
    guest.state = VcpuState::calling;
    guest.callee = server;
    ++guest.sequence;
    server->caller = &guest;
    server->standing = Vcpu::just_serving;
    write_access_message(guest, esr, page.badge(), server->context.x);
    enter_server_from_vm(core, guest, *server);
    return server;
}

inline bool is_device_answer(const Vcpu& caller, uint64_t tag) {
    return caller.esr >> 26 == ec::data_abort && abi::ReplyTag{tag}.action() == abi::Action::advance;
}

/// The server goes on waiting; its caller, whose time it used, goes on.
[[gnu::always_inline]] inline void close_request(Vcpu& server, Vcpu& caller) {
    server.caller = nullptr;
    server.state = VcpuState::waiting;
    caller.callee = nullptr;
    caller.may_repeat = false;
    caller.state = VcpuState::ready;
}

[[gnu::always_inline]] inline Vcpu* device_answer(Core& core, Vcpu& server, Vcpu& guest, uint64_t value) {
    constexpr uint64_t wnr = 1u << 6;
    uint64_t esr = guest.esr;
    close_request(server, guest);
    if (!(esr & wnr)) { write_loaded(guest, esr, value); }
    advance(guest.context, esr);
    enter_vcpu(core, guest);
    return &guest;
}

struct Words {
    uint64_t word[abi::message_words];
};
/// To a native caller, or a VM's trap of another kind.
[[gnu::always_inline]] inline Vcpu* call_answer(Core& core, Vcpu& server, uint64_t tag, const Words& words) {
    Vcpu& caller = *server.caller;
    close_request(server, caller);
    write_answer(caller, tag, words.word);
    enter_vcpu(core, caller);
    return &caller;
}

} // namespace bulkhead
