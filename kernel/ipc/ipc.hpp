// SPDX-License-Identifier: MIT
// Synchronous IPC: a request lends its caller's time to the server of an endpoint, by a direct switch where the server waits.
#pragma once
#include "sched/core.hpp"

namespace bulkhead {

/// `caller`, which runs now, makes a request to `endpoint`: a call if it is native, else the trapped access that its esr says.
/// Returns the vCPU to enter next. A request that cannot be made is answered with a status, or is a fault of a VM's vCPU.
Vcpu* make_request(Core& core, Vcpu& caller, ObjectRef endpoint, uint64_t badge);
/// Who serves an endpoint on this core, if anybody.
Vcpu* server_of(const Core& core, ObjectRef endpoint);
/// Gives `server`, which waits, the caller's request.
void deliver(Vcpu& caller, Vcpu& server);
/// Does `server`, as an account, merely wait, with signals pending?
inline bool waits_with_signals(const Vcpu& server) {
    return (server.standing | Vcpu::took) == (Vcpu::just_waiting | Vcpu::just_queued | Vcpu::has_signals | Vcpu::took);
}
/// Then it gets them, and runs, as nobody does now.
Vcpu* enter_with_signals(Core& core, Vcpu& server);
/// Tells `server`, which waits, that its deadline passed.
void deliver_deadline(Vcpu& server);
/// Who runs on `account`'s time: account itself, or the last server of its chain, to which the request is handed if it waits.
/// Null: nobody can now; account is then out of the ready queue (parked, or faulted).
Vcpu* resolve(Core& core, Vcpu& account);
/// Adds signals; wakes the server that takes them. Any core may call it.
void notify(Core& core, Notification& notification, uint64_t bits);
/// The vCPU has pending signals (its own core calls it).
void signals_arrived(Core& core, Vcpu& server);
/// The server is lost (stopped, faulted): its caller gets server_fault if native, else waits for repeated delivery; its own
/// outgoing request is unlinked.
void abandon_requests(Core& core, Vcpu& vcpu);
/// An endpoint or a server is gone: those that wait for it look again.
void recheck(Core& core);

// The two hypercalls of requests, from entry/vectors.S: the words still are in their registers, x2 to x7, and stay, as whoever
// passes them on has the same arguments.
#define WORDS uint64_t w0, uint64_t w1, uint64_t w2, uint64_t w3, uint64_t w4, uint64_t w5
/// Hypercall::call. Of the caller, x9..x30 are saved.
extern "C" Vcpu* call(abi::Handle endpoint, uint64_t tag, WORDS);
/// Of the server, nothing is.
extern "C" Vcpu* reply_recv(uint64_t deadline, uint64_t tag, WORDS);
/// Likewise; x0 and x1 are saved.
extern "C" Vcpu* signal_recv(Slot* notification, uint64_t badge, uint64_t set, uint64_t deadline);

} // namespace bulkhead
