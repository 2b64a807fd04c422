// SPDX-License-Identifier: MIT
// The shortest way: a request goes to a server that waits for nothing else, its message in registers; and its answer comes back.
// Everything that is not exactly so takes the general way in ipc.cpp, which does the same.
#pragma once
#include "ipc/ipc.hpp"
#include "ipc/message.hpp"
#include "vcpu/switching.hpp"

namespace bulkhead {

/// Only a waiting server, with a caller who may leave at once.
inline bool takes_shortcut(const Vcpu& server) { return server.standing == Vcpu::just_waiting; }

/// `caller`, whose registers are saved, is served by `server` from here on: `enter` makes that the one that runs.
template <class Enter>
[[gnu::always_inline]] inline Vcpu* serve(Vcpu& caller, Vcpu& server, uint64_t badge, const Request& request, Enter enter) {
    caller.state = VcpuState::calling;
    caller.callee = &server;
    const uint64_t sequence = ++caller.sequence;
    server.caller = &caller;
    server.standing = Vcpu::just_serving;
    const uint64_t* word = request.word;
    enter();
    hw::enter_with_message(server.context, {badge, request.tag, word[0], word[1], word[2], word[3], word[4], word[5], sequence});
    return &server;
}

inline void step_back(uint64_t bytes) { hw::write<hw::ElrEl2>({hw::read<hw::ElrEl2>().bits - bytes}); }
/// A VM's trap; `behind`: ELR_EL2 is this far behind the instruction.
[[gnu::always_inline]] inline Vcpu* request_from_vm(Core& core, Vcpu& guest, const Destination& to, const Request& request,
                                                    uint64_t behind = 0) {
    Vcpu& server = *to.server;
    if (!takes_shortcut(server)) [[unlikely]] {
        step_back(behind);
        return make_request(core, guest, to.endpoint, to.badge);
    }
    hw::save_el1(guest);
    hw::save_native(guest.context);
    guest.context.pc -= behind;
    guest.endpoint = to.endpoint;
    guest.badge = to.badge;
    return serve(guest, server, to.badge, request, [&] { enter_native(core, server, native_pstate); });
}

/// The server goes on waiting; its caller, whose time it used, goes on.
[[gnu::always_inline]] inline void close_request(Vcpu& server, Vcpu& caller) {
    server.caller = nullptr;
    server.state = VcpuState::waiting;
    caller.callee = nullptr;
    caller.state = VcpuState::ready;
}

Vcpu* resume_slowly(Core& core, Vcpu& guest);

/// `tag` says advance.
[[gnu::always_inline]] inline Vcpu* answer_vm(Core& core, Vcpu& server, Vcpu& guest, uint64_t w0, uint64_t w1, uint64_t w2,
                                              uint64_t w3) {
    close_request(server, guest);
    write_words(guest, guest.esr, w0, w1, w2, w3);
    const bool clean = hw::both_equal(core.loaded, &guest, uint64_t{guest.interrupts.is_dirty()}, uint64_t{0});
    if (!clean || is_aarch32(guest.context)) [[unlikely]] { return resume_slowly(core, guest); }
    core.current = &guest;
    hw::load_native(guest.context.pc + 4, executed(guest.context.pstate), guest.context.sp);
    hw::resume_el1(guest);
    hw::load_controls(guest);
    hw::enter(guest.context);
    return &guest;
}

[[gnu::always_inline]] inline Vcpu* answer_native(Core& core, Vcpu& server, Vcpu& caller, uint64_t tag,
                                                  const uint64_t (&words)[abi::message_words]) {
    close_request(server, caller);
    enter_from_native(core, caller);
    hw::enter_with_message(caller.context, {static_cast<uint64_t>(Status::ok), abi::ReplyTag{tag}.label(), words[0], words[1],
                                            words[2], words[3], words[4], words[5], caller.context.x[8]});
    return &caller;
}

} // namespace bulkhead
