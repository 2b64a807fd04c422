// SPDX-License-Identifier: MIT
// The shortest way: a request goes to a server that waits for nothing else, its message in registers; and its answer comes back.
// Everything that is not exactly so takes the general way in ipc.cpp, which does the same.
#pragma once
#include "ipc/ipc.hpp"
#include "ipc/message.hpp"
#include "vcpu/switching.hpp"

namespace bulkhead {

/// Only a waiting server, with a caller who may leave at once.
inline bool takes_shortcut(const Vcpu* server) { return server && server->standing == Vcpu::just_waiting; }

/// `caller`, whose registers are saved, is served by `server` from here on.
[[gnu::always_inline]] inline Vcpu* serve(Core& core, Vcpu& caller, Vcpu& server, ObjectRef endpoint, uint64_t badge,
                                          const Request& request) {
    caller.endpoint = endpoint;
    caller.badge = badge;
    caller.state = VcpuState::calling;
    caller.callee = &server;
    const uint64_t sequence = ++caller.sequence;
    server.caller = &caller;
    server.standing = Vcpu::just_serving;
    const uint64_t* word = request.word;
    enter_native(core, server);
    hw::enter_with_message(server.context, {badge, request.tag, word[0], word[1], word[2], word[3], word[4], word[5], sequence});
    return &server;
}

/// A VM's trap.
[[gnu::always_inline]] inline Vcpu* request_from_vm(Core& core, Vcpu& guest, ObjectRef endpoint, uint64_t badge,
                                                    const Request& request) {
    Slot* slot = objects.find(endpoint);
    Vcpu* server = slot ? slot->endpoint.server[core.index] : nullptr;
    if (!takes_shortcut(server) || guest.leaves_slowly) [[unlikely]] { return make_request(core, guest, endpoint, badge); }
    hw::save_el1(guest.context, guest.eager);
    return serve(core, guest, *server, endpoint, badge, request);
}

/// The server goes on waiting; its caller, whose time it used, goes on.
[[gnu::always_inline]] inline void close_request(Vcpu& server, Vcpu& caller) {
    server.caller = nullptr;
    server.state = VcpuState::waiting;
    caller.callee = nullptr;
    caller.state = VcpuState::ready;
}

Vcpu* advance_slowly(Core& core, Vcpu& next, uint64_t esr);
/// The answer is in its registers.
[[gnu::always_inline]] inline Vcpu* resume_vm(Core& core, Vcpu& guest) {
    if (core.loaded != &guest || guest.interrupts.is_dirty()) [[unlikely]] { return enter_slowly(core, guest); }
    core.current = &guest;
    hw::load_el1(guest.context, guest.eager);
    hw::load_controls(guest.controls);
    hw::enter(guest.context);
    return &guest;
}

/// `tag` says advance.
[[gnu::always_inline]] inline Vcpu* answer_vm(Core& core, Vcpu& server, Vcpu& guest, uint64_t w0, uint64_t w1, uint64_t w2,
                                              uint64_t w3) {
    const uint64_t esr = guest.esr;
    close_request(server, guest);
    write_words(guest, esr, w0, w1, w2, w3);
    if (is_aarch32(guest.context)) [[unlikely]] { return advance_slowly(core, guest, esr); }
    advance_aarch64(guest.context);
    return resume_vm(core, guest);
}

[[gnu::always_inline]] inline Vcpu* answer_native(Core& core, Vcpu& server, Vcpu& caller, uint64_t tag,
                                                  const uint64_t (&words)[abi::message_words]) {
    close_request(server, caller);
    enter_native(core, caller);
    hw::enter_with_message(caller.context, {static_cast<uint64_t>(Status::ok), abi::ReplyTag{tag}.label(), words[0], words[1],
                                            words[2], words[3], words[4], words[5], caller.context.x[8]});
    return &caller;
}

} // namespace bulkhead
