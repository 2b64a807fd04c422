// SPDX-License-Identifier: MIT
// A spin lock between the vCPUs of one service, with a bound on the wait: its holder may be a vCPU
// that does not run now.
#pragma once
#include <cstdint>

namespace service {

inline void relax() {
#ifdef __aarch64__
    asm volatile("yield" ::: "memory");
#endif
}

/// Zero is unlocked. Keep it in data, not in the state region: a restarted service must find it
/// free.
class SpinLock {
public:
    static constexpr unsigned default_tries = 1000;

    /// One look.
    bool try_once() { return __atomic_exchange_n(&word_, taken(), __ATOMIC_ACQUIRE) == 0; }

    /// False if the lock did not become free within `tries` looks; a request is then answered with
    /// Answer::retry().
    bool try_lock(unsigned tries = default_tries) {
        if (try_once()) { return true; }
        return wait(tries);
    }

    void unlock() { __atomic_store_n(&word_, 0, __ATOMIC_RELEASE); }

private:
    /// Any value but zero: the lock's own address, below 4 GiB in a native partition, is in a register already.
    uint32_t taken() const { return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(&word_)); }

    [[gnu::noinline]] bool wait(unsigned tries) {
        for (; tries > 0; --tries) {
            relax();
            if (__atomic_load_n(&word_, __ATOMIC_RELAXED) == 0 && try_once()) { return true; }
        }
        return false;
    }

    uint32_t word_ = 0;
};

/// Holds a SpinLock for a scope; false if it was not to be had.
class Guard {
public:
    explicit Guard(SpinLock& lock, unsigned tries = SpinLock::default_tries) : lock_(lock), held_(lock.try_lock(tries)) {}
    ~Guard() {
        if (held_) { lock_.unlock(); }
    }
    Guard(Guard const&) = delete;
    Guard& operator=(Guard const&) = delete;
    explicit operator bool() const { return held_; }

private:
    SpinLock& lock_;
    bool const held_;
};

} // namespace service
