// SPDX-License-Identifier: MIT
// The timers of all client VMs: who looks after which vCPU's CNTP timer, when its interrupt line
// changes, and when to look again. No hypercalls here: the core is a template parameter, so that
// host tests can fake it.
#pragma once
#include "abi/status.hpp"
#include "physical.hpp"
#include "services/lib/spinlock.hpp"
#include "virtual_time.hpp"

namespace timer {

constexpr unsigned max_clients = 16, max_vcpus = 8, max_servers = 8;
constexpr uint32_t cntp_intid = 30;

/// In the state region, where it survives a restart. Zero is the reset state.
struct TimerState {
    Physical timer;
    uint32_t owner; ///< the server vCPU that looks after it, plus one; 0: nobody, it was never used
    uint32_t reserved;
};
struct VmState {
    VirtualTime time;
    TimerState timers[max_vcpus];
};

/// Core: `void line(client, vcpu, bool level)` and `abi::Status offset(client, vcpu, value)`
/// (CNTVOFF).
///
/// A timer belongs to the server vCPU that its guest vCPU last reached, which is the one of the
/// same core. Only the owner looks at its deadline. The timer's lock keeps a new owner and the old
/// one apart when a vCPU has moved.
template <typename Core> class Timers {
public:
    constexpr explicit Timers(Core core) : core_(core) {}

    /// Once, before anything else.
    void add_client(unsigned client, unsigned vcpus, VmState& state) {
        clients_[client] = {&state, vcpus};
        for (unsigned vcpu = 0; vcpu < vcpus; ++vcpu) { timers_[client][vcpu] = &state.timers[vcpu].timer; }
        if (client >= client_count_) { client_count_ = client + 1; }
    }
    bool has(uint64_t client, unsigned vcpu) const { return find(client, vcpu) != nullptr; }

    /// Null: no such vCPU.
    Physical const* find(uint64_t client, unsigned vcpu) const {
        static_assert(max_vcpus == 8);
        return client < max_clients ? timers_[client][vcpu % max_vcpus] : nullptr; // the core's indices are below max_vcpus
    }

    /// False: the timer's lock was not to be had.
    bool write(unsigned server, unsigned client, unsigned vcpu, uint64_t reg, uint64_t value, uint64_t now) {
        service::Guard guard(locks_[client][vcpu]);
        if (!guard) { return false; }
        auto& state = clients_[client].state->timers[vcpu];
        const auto before = state.timer.deadline(0);
        __atomic_store_n(&state.owner, server + 1, __ATOMIC_RELAXED);
        state.timer.write(reg, value, now);
        const auto after = update(client, vcpu, now);
        auto& next = next_[server];
        if (after < next) {
            next = after;
        } else if (before == next && after != before) {
            next = earliest(server, now); // the earliest one was put off: do not wake up for nothing
        }
        return true;
    }

    /// The server's deadline passed: raises what is due, and finds the next deadline. Also once for
    /// each server vCPU before it serves: after a restart, that makes the lines right again.
    void look(unsigned server, uint64_t now) {
        uint64_t next = abi::no_deadline;
        for (unsigned client = 0; client < client_count_; ++client) {
            for (unsigned vcpu = 0; vcpu < clients_[client].vcpus; ++vcpu) {
                const auto deadline = look_at(server, client, vcpu, now);
                if (deadline < next) { next = deadline; }
            }
        }
        next_[server] = next;
    }

    uint64_t const& deadline(unsigned server) const { return next_[server]; }

    // Of lifecycle, whose VM does not run meanwhile

    /// Power-on: CNTP off, the virtual count starts at zero.
    abi::Status reset(unsigned client, uint64_t now) {
        auto& vm = clients_[client];
        vm.state->time.reset(now);
        for (unsigned vcpu = 0; vcpu < vm.vcpus; ++vcpu) {
            service::Guard guard(locks_[client][vcpu]);
            if (!guard) { return abi::Status::again; }
            vm.state->timers[vcpu].timer = {};
            update(client, vcpu, now);
        }
        return set_offsets(client, now);
    }

    /// Nothing is to be done for CNTP: physical time goes on, and a line that rises meanwhile is
    /// delivered after the pause.
    void pause(unsigned client, uint64_t paused_at) { clients_[client].state->time.pause(paused_at); }

    abi::Status resume(unsigned client, uint64_t now) {
        auto& time = clients_[client].state->time;
        const auto offset = time.resume_offset(now);
        const auto status = set_offsets(client, offset);
        if (status == abi::Status::ok) { time.resumed(offset); }
        return status;
    }

private:
    struct Client {
        VmState* state = nullptr;
        unsigned vcpus = 0;
    };
    /// When to look again at a timer whose lock is taken.
    static constexpr uint64_t contended_ticks = 1000;
    static constexpr uint8_t line_low = 1, line_high = 2;

    /// Brings the line to what the timer says; the timer's next deadline. Caller holds its lock.
    uint64_t update(unsigned client, unsigned vcpu, uint64_t now) {
        const auto& timer = clients_[client].state->timers[vcpu].timer;
        const bool high = timer.line(now);
        auto& known = lines_[client][vcpu];
        if (known != (high ? line_high : line_low)) {
            core_.line(client, vcpu, high);
            known = high ? line_high : line_low;
        }
        return timer.deadline(now);
    }

    /// The earliest deadline of the server's timers, those that have passed left out: their lines
    /// are high.
    uint64_t earliest(unsigned server, uint64_t now) const {
        uint64_t next = abi::no_deadline;
        for (unsigned client = 0; client < client_count_; ++client) {
            for (unsigned vcpu = 0; vcpu < clients_[client].vcpus; ++vcpu) {
                const auto& state = clients_[client].state->timers[vcpu];
                if (owner(state) != server + 1) { continue; }
                const auto deadline = state.timer.deadline(now);
                if (deadline < next) { next = deadline; }
            }
        }
        return next;
    }

    uint64_t look_at(unsigned server, unsigned client, unsigned vcpu, uint64_t now) {
        const auto& state = clients_[client].state->timers[vcpu];
        if (owner(state) != server + 1) { return abi::no_deadline; }
        service::Guard guard(locks_[client][vcpu]);
        if (!guard) { return now + contended_ticks; }
        return owner(state) == server + 1 ? update(client, vcpu, now) : abi::no_deadline;
    }

    abi::Status set_offsets(unsigned client, uint64_t offset) {
        for (unsigned vcpu = 0; vcpu < clients_[client].vcpus; ++vcpu) {
            const auto status = core_.offset(client, vcpu, offset);
            if (status != abi::Status::ok) { return status; }
        }
        return abi::Status::ok;
    }

    static uint32_t owner(const TimerState& state) { return __atomic_load_n(&state.owner, __ATOMIC_RELAXED); }

    Core core_;
    Physical const* timers_[max_clients][max_vcpus] = {};
    Client clients_[max_clients] = {};
    unsigned client_count_ = 0;
    uint64_t next_[max_servers] = {}; ///< each its server's own
    service::SpinLock locks_[max_clients][max_vcpus] = {};
    uint8_t lines_[max_clients][max_vcpus] = {}; ///< as the core knows them; 0: not known, after a restart
};

} // namespace timer
