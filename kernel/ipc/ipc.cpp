// SPDX-License-Identifier: MIT
// Requests, answers, and what happens to both when a server is busy, lost or gone.
#include "ipc/ipc.hpp"
#include "ipc/shortcut.hpp"
#include "irq/virtual.hpp"
#include "sched/cross.hpp"
#include "sched/scheduler.hpp"
#include "vcpu/fault.hpp"
#include "vcpu/switching.hpp"
#include <algorithm>

namespace bulkhead {

using abi::Action;
using abi::Kind;
using abi::ReplyTag;
using abi::Tag;

namespace {

/// The caller cannot be served: a status for a native one, a fault of a VM's.
[[gnu::cold]] void refuse(Core& core, Vcpu& caller, Status status) {
    caller.state = VcpuState::ready;
    caller.callee = nullptr;
    if (caller.native) {
        caller.context.x[0] = static_cast<uint64_t>(status);
        return;
    }
    fault(core, caller, FaultReason::no_endpoint, request_of(caller).word[0]);
}

/// Servers that wait for each other: more are taken for a circle, which endpoints that are bound anew can close.
constexpr unsigned longest_wait = 64;

/// Would a call to `server` wait for its own caller, or make a chain that is too deep?
[[gnu::cold]] bool closes_cycle(const Core& core, const Vcpu& caller, const Vcpu* server) {
    unsigned length = 1;
    for (const Vcpu* above = caller.caller; above; above = above->caller) { ++length; }
    if (length > abi::max_call_depth) { return true; }
    while (server && server != &caller && server->state == VcpuState::calling && ++length < longest_wait) {
        server = server->callee ? server->callee : server_of(core, server->endpoint);
    }
    return server == &caller || length >= longest_wait;
}

[[gnu::cold]] bool lost(const Vcpu& server) {
    return !server.paused && (server.state == VcpuState::off || server.state == VcpuState::faulted);
}

/// A message that is nobody's request.
void tell(Vcpu& server, Kind kind, uint64_t word) {
    server.state = VcpuState::ready;
    server.context.pstate = native_pstate;
    for (unsigned i = 0; i < 9; ++i) { server.context.x[i] = 0; }
    server.context.x[1] = Tag::make(kind, 0, 0, 0).bits;
    server.context.x[2] = word;
}

} // namespace

Vcpu* server_of(const Core& core, ObjectRef endpoint) {
    Slot* slot = objects.find(endpoint);
    return slot && slot->type == ObjectType::endpoint ? slot->endpoint.server[core.index] : nullptr;
}

void deliver(Vcpu& caller, Vcpu& server) {
    server.caller = &caller;
    server.state = VcpuState::ready;
    server.took_signals = false;
    caller.callee = &server;
    server.context.pstate = native_pstate;
    write_message(caller, server.context.x);
    caller.may_repeat = false; // unless this server, too, is lost
}

static uint64_t take_signals(const Vcpu& server) { return server.notification->pending.exchange(0, std::memory_order_acquire); }

Vcpu* enter_with_signals(Core& core, Vcpu& server) {
    server.standing = Vcpu::just_queued | Vcpu::took;
    enter_native(core, server, native_pstate);
    hw::enter_with_message(server.context, {0, Tag::make(Kind::signals, 0, 0, 0).bits, take_signals(server)});
    return &server;
}

void deliver_deadline(Vcpu& server) { tell(server, Kind::deadline, 0); }

Vcpu* make_request(Core& core, Vcpu& caller, ObjectRef ref, uint64_t badge) {
    Vcpu* server = server_of(core, ref);
    leave(core);
    caller.badge = badge;
    caller.endpoint = ref;
    if (server && takes_shortcut(*server)) {
        return serve(caller, *server, badge, request_of(caller), [&] { enter_native(core, *server, native_pstate); });
    }
    caller.state = VcpuState::calling;
    ++caller.sequence;
    if (!server) [[unlikely]] { refuse(core, caller, Status::no_server); }
    return schedule(core);
}

/// A call that has no shortcut; a confined caller's next one to the same endpoint has. Same arguments as call, so that it can be
/// jumped to.
[[gnu::noipa]] static Vcpu* call_generally(abi::Handle handle, uint64_t tag, WORDS) {
    Core& core = Core::self();
    Vcpu& caller = *core.current;
    const uint64_t found = Destination::now.load(std::memory_order_acquire);
    auto endpoint = caller.partition->lookup<Endpoint>(handle, abi::right::call);
    Vcpu* server = endpoint.ok() ? endpoint.value().as<Endpoint>().server[core.index] : nullptr;
    Status status = endpoint.status();
    if (endpoint.ok()) { status = !server ? Status::no_server : closes_cycle(core, caller, server) ? Status::cycle : Status::ok; }
    if (status == Status::ok && lost(*server)) { status = Status::server_fault; }
    uint64_t* x = caller.context.x;
    x[0] = static_cast<uint64_t>(status);
    if (status != Status::ok) { return &caller; }
    x[1] = tag, x[2] = w0, x[3] = w1, x[4] = w2, x[5] = w3, x[6] = w4, x[7] = w5;
    const Capability& to = *endpoint.value().capability;
    if (!caller.unconfined) { caller.handle = handle, caller.called = {found, server, to.badge, to.object}; }
    return make_request(core, caller, to.object, to.badge);
}

extern "C" Vcpu* call(abi::Handle handle, uint64_t tag, WORDS) {
    Core& core = Core::self();
    Vcpu& caller = *core.current;
    Vcpu* server = caller.called.server;
    // Who waits closes no circle, and nobody waits for the caller.
    if (!hw::both_equal(handle, caller.handle, caller.called.found, Destination::current()) ||
        !hw::both_equal(server->standing, Vcpu::just_waiting, caller.caller, static_cast<Vcpu*>(nullptr))) [[unlikely]] {
        return call_generally(handle, tag, w0, w1, w2, w3, w4, w5);
    }
    hw::save_place(caller.context);
    return serve(caller, *server, caller.called.badge, call_request(caller, tag, {w0, w1, w2, w3, w4, w5}),
                 [&] { enter_from_native(core, *server); });
}

Vcpu* resolve(Core& core, Vcpu& account) {
    Vcpu* leaf = &account;
    for (unsigned length = 0;; ++length) {
        if (leaf->state == VcpuState::waiting && leaf->signals_due) {
            leaf->signals_due = false;
            leaf->took_signals = true;
            tell(*leaf, Kind::signals, take_signals(*leaf));
        }
        if (leaf->state == VcpuState::ready && !leaf->paused) { return leaf; }
        if (leaf->state != VcpuState::calling || leaf->paused) { break; }
        if (leaf->callee) {
            leaf = leaf->callee;
            continue;
        }
        Vcpu* server = server_of(core, leaf->endpoint);
        if (!server || length > longest_wait || (leaf->native && lost(*server))) {
            refuse(core, *leaf, !server ? Status::no_server : lost(*server) ? Status::server_fault : Status::cycle);
            continue;
        }
        if (server->state == VcpuState::waiting && !server->paused && (!server->signals_due || server->took_signals)) {
            deliver(*leaf, *server);
        }
        leaf = server;
    }
    if (account.queued) { park(core, account); }
    return nullptr;
}

namespace {

/// Applies the answer, and what it asks of the core, to the caller.
void complete(Core& core, Vcpu& caller, uint64_t tag, const uint64_t (&words)[abi::message_words]) {
    caller.callee = nullptr;
    caller.state = VcpuState::ready;
    write_answer(caller, tag, words);
    if (caller.native) { return; }
    switch (ReplyTag{tag}.action()) {
    case Action::wait:
        if (!deliverable(caller)) { wait_until(core, caller, std::min(words[1], virtual_timer_deadline(caller))); }
        break;
    case Action::off: serve_requests(core, caller, request::stop); break;
    case Action::fault: fault(core, caller, FaultReason::refused, words[0]); break;
    default: break;
    }
}

/// What the server does when no request is at hand: signals, its deadline, or it waits.
void receive(Core& core, Vcpu& server, uint64_t deadline) {
    wait_until(core, server, deadline);
    server.signals_due = server.notification && server.notification->pending.load(std::memory_order_acquire);
    if (server.signals_due) { make_ready(core, server); } // behind the others of its priority
}

} // namespace

[[gnu::noipa]] Vcpu* resume_slowly(Core& core, Vcpu& guest) {
    advance(guest.context, guest.esr);
    core.current = nullptr; // its answer has been taken
    return switch_to(core, &guest);
}

/// Every answer that has no shortcut. Same arguments as reply_recv, so that it can be jumped to.
[[gnu::noipa]] static Vcpu* reply_generally(uint64_t deadline, uint64_t tag, WORDS) {
    Core& core = Core::self();
    Vcpu& server = *core.current;
    hw::save_place(server.context);
    core.current = nullptr; // its registers are dead, and saved as far as they count
    server.watch_used = 0;
    if (Vcpu* caller = server.caller) {
        server.caller = nullptr;
        complete(core, *caller, tag, {w0, w1, w2, w3, w4, w5});
        ensure_progress(core, *caller);
    }
    receive(core, server, deadline);
    return schedule(core);
}

/// Likewise: the compiler leaves the words where reply_recv got them.
[[gnu::noipa]] static Vcpu* reply_to_call(uint64_t deadline, uint64_t tag, WORDS) {
    Core& core = Core::self();
    Vcpu &server = *core.current, &caller = *core.account;
    if (caller.unconfined) [[unlikely]] { return reply_generally(deadline, tag, w0, w1, w2, w3, w4, w5); }
    hw::save_place(server.context);
    return answer_native(core, server, caller, tag, {w0, w1, w2, w3, w4, w5});
}

extern "C" Vcpu* reply_recv(uint64_t deadline, uint64_t tag, WORDS) {
    Core& core = Core::self();
    Vcpu& server = *core.current;
    Vcpu* caller = server.caller;
    const bool usual = hw::both_equal(caller, core.account, server.timer_at, deadline);
    const bool advances = ReplyTag{tag}.action() == Action::advance;
    if (!usual || !(advances & (server.standing == Vcpu::just_serving))) [[unlikely]] {
        return reply_generally(deadline, tag, w0, w1, w2, w3, w4, w5);
    }
    if (caller->native) { return reply_to_call(deadline, tag, w0, w1, w2, w3, w4, w5); }
    hw::save_place(server.context);
    return answer_vm(core, server, *caller, w0, w1, w2, w3);
}

void signals_arrived(Core& core, Vcpu& server) {
    if (!server.notification || !server.notification->pending.load(std::memory_order_acquire)) { return; }
    const uint64_t standing = server.standing;
    server.signals_due = true; // a busy server looks when it answers
    if ((standing & Vcpu::may_be_enqueued) == Vcpu::just_waiting) { enqueue(core, server); }
}

[[gnu::noipa]] static Vcpu* signal_generally(Slot* slot, uint64_t badge, uint64_t set, uint64_t deadline) {
    Core& core = Core::self();
    Vcpu& server = *core.current;
    Status status = badge != 0 && set & ~badge ? Status::no_right : server.caller ? Status::bad_state : Status::ok;
    if (status != Status::ok) {
        server.context.x[0] = static_cast<uint64_t>(status);
        return &server;
    }
    notify(core, slot->notification, set);
    return reply_generally(deadline, 0, 0, 0, 0, 0, 0, 0);
}

extern "C" Vcpu* signal_recv(Slot* slot, uint64_t badge, uint64_t set, uint64_t deadline) {
    uint64_t runs = Vcpu::just_queued | Vcpu::took, waits = Vcpu::just_waiting | Vcpu::took;
    asm("" : "+r"(runs), "+r"(waits)); // made once
    Core& core = Core::self();
    Vcpu& self = *core.current;
    Vcpu* target = slot->notification.target;
    const bool outside = badge != 0 && set & ~badge;
    // `runs`: with no request in hand, and no signals. Those that another core sends now come with its request.
    if (outside || set == 0 || core.reschedule || core.account != &self || !target || target->core != self.core ||
        target->priority != self.priority || (self.budget_ticks | target->budget_ticks) != 0 ||
        !hw::both_equal(self.ready_next, &self, self.timer_at, deadline) ||
        !hw::both_equal(self.standing, runs, target->standing, waits)) [[unlikely]] {
        return signal_generally(slot, badge, set, deadline);
    }
    hw::save_place(self.context);
    self.watch_used = 0;
    self.standing = waits;
    target->standing = runs;
    core.ready.replace(self, *target);
    pass_turn(core, self, *target);
    enter_from_native(core, *target);
    hw::enter_with_message(target->context, {0, Tag::make(Kind::signals, 0, 0, 0).bits, set});
    return target;
}

void notify(Core& core, Notification& notification, uint64_t bits) {
    uint64_t before = notification.pending.fetch_or(bits, std::memory_order_release);
    Vcpu* target = notification.target;
    if (before != 0 || !target) { return; }
    if (target->core == core.index) { return signals_arrived(core, *target); }
    ask(core, *target, request::wake);
}

[[gnu::cold]] void abandon_requests(Core& core, Vcpu& vcpu) {
    if (Vcpu* caller = vcpu.caller) {
        vcpu.caller = nullptr;
        caller->callee = nullptr;
        caller->may_repeat = !caller->native;
        if (caller->native) {
            refuse(core, *caller, Status::server_fault);
            ensure_progress(core, *caller);
        }
    }
    if (Vcpu* server = vcpu.callee) {
        vcpu.callee = nullptr;
        server->caller = nullptr;
        ensure_progress(core, *server);
    }
    core.reschedule = true;
}

[[gnu::cold]] void recheck(Core& core) {
    for (uint32_t i = 0; i < core_count; ++i) {
        if (cores[i]) { cores[i]->recheck.store(true, std::memory_order_release); }
    }
    Destination::forget_all();
    unpark_all(core);
    kick_others(core);
}

} // namespace bulkhead
